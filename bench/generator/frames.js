/** Where a text of the load carries its time; counted in what is delivered. Nothing else in the traffic has it. */
export const MARKER = Buffer.from('@@');
/** What every peer's answer to a send has in it. */
export const ACK = Buffer.from('"ack"');
/** Digits of a time, in microseconds. */
export const STAMP_DIGITS = 16;
/** Stands in a template for a counter of ten digits. */
export const COUNTER = '##########';
const COUNTER_FROM = 1_000_000_000;

/** A text of exactly `bytes`, with room for its time in front. */
export function loadText(bytes) {
  return `@@${'0'.repeat(STAMP_DIGITS)}`.padEnd(bytes, 'x');
}

export function nowMicros() {
  return Math.round((performance.timeOrigin + performance.now()) * 1_000);
}

/** A client's text frame. Its mask is zero, which the protocol allows and the server applies like any other: the payload stands as it is. */
export function clientFrame(text) {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
}

/** A frame made once; each sending copies it and writes the time and a counter into it. */
export class FrameTemplate {
  #bytes;
  #stampAt;
  #counters = [];

  constructor(text) {
    this.#bytes = clientFrame(text);
    this.#stampAt = this.#bytes.indexOf(MARKER) + MARKER.length;
    for (let at = this.#bytes.indexOf(COUNTER); at !== -1; at = this.#bytes.indexOf(COUNTER, at + 1)) this.#counters.push(at);
  }

  /** @param count counts this connection's frames, from 0 */
  stamped(count) {
    const frame = Buffer.from(this.#bytes);
    const digits = String(COUNTER_FROM + count);
    for (const at of this.#counters) frame.latin1Write(digits, at);
    frame.latin1Write(String(nowMicros()), this.#stampAt);
    return frame;
  }
}
