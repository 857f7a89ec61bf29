import net from 'node:net';
import { ACK, clientFrame, FrameTemplate, MARKER, STAMP_DIGITS, nowMicros } from './frames.js';
import { MarkerCount } from './marker-count.js';

/** Every socket reads into this: what came is counted before the next read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(262_144);
/** One of so many deliveries is timed. A prime: no place among a room's subscribers is timed more often than another. */
const TIMED = 97;

/** What all clients have seen together. */
export class Tally {
  deliveries = 0;
  acked = 0;
  sent = 0;
  /** Sockets that ended without having been asked to. */
  lost = 0;
  latenciesMs = [];
  #untilTimed = TIMED;

  /** Counts deliveries that came in one chunk, and times the chunk's first if it is its turn. */
  delivered(count, stamp) {
    this.deliveries += count;
    this.#untilTimed -= count;
    if (this.#untilTimed > 0 || stamp === undefined) return;
    this.#untilTimed = TIMED;
    const sentAt = Number(stamp());
    if (sentAt > 0) this.latenciesMs.push((nowMicros() - sentAt) / 1_000);
  }
}

/** One raw socket: upgrades, subscribes, then counts; as a sender it keeps so many sends in flight. */
export class Client {
  #dialect;
  #spec;
  #tally;
  #textBytes;
  #socket;
  #templates = [];
  #sends = 0;
  #deliveries;
  #acks = null;
  #stampAt = 0;
  #chunk;
  #isClosing = false;
  #isSending = false;

  /** @param spec `{ port, user, token?, rooms: [{ id, since? }], sendsTo: [room id] }`: rooms are those it subscribes to */
  constructor(dialect, spec, tally, textBytes) {
    this.#dialect = dialect;
    this.#spec = spec;
    this.#tally = tally;
    this.#textBytes = textBytes;
    this.#deliveries = new MarkerCount(MARKER, textBytes - MARKER.length);
    if (spec.sendsTo.length > 0) this.#acks = new MarkerCount(ACK);
  }

  /** Resolves when the last step of the opening is done. */
  open() {
    return new Promise((resolve, reject) => {
      const opening = new Opening(this.#dialect.steps(this.#spec), (text) => this.#socket.write(clientFrame(text)));
      let take = (chunk) => {
        if (!opening.feed(chunk.latin1Slice())) return;
        take = this.#acks ? (bytes) => this.#countAll(bytes) : (bytes) => this.#countDeliveries(bytes);
        resolve();
      };
      const callback = (length) => {
        try {
          take(READ_BUFFER.subarray(0, length));
        } catch (error) {
          reject(error);
        }
        return true;
      };
      const { port } = this.#spec;
      this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: READ_BUFFER, callback } });
      this.#socket.once('error', reject);
      this.#socket.on('error', () => {});
      this.#socket.once('close', () => {
        if (!this.#isClosing) this.#tally.lost++;
        reject(new Error(`a socket of port ${port} was closed while opening`));
      });
      this.#socket.write(this.#upgrade());
    });
  }

  /** Sends, and again at each ack, with `window` in flight. */
  start(window) {
    this.#isSending = true;
    for (let i = 0; i < window; i++) this.send();
  }

  stop() {
    this.#isSending = false;
  }

  /** One message, to each room that it sends to in turn. */
  send() {
    const { sendsTo, user } = this.#spec;
    const index = this.#sends % sendsTo.length;
    const template = (this.#templates[index] ??= new FrameTemplate(this.#dialect.send(sendsTo[index], this.#textBytes, user)));
    this.#tally.sent++;
    this.#socket.write(template.stamped(this.#sends++));
  }

  close() {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #upgrade() {
    const { port, token } = this.#spec;
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
    return (
      `GET ${this.#dialect.path()} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${authorization}\r\n`
    );
  }

  #countAll(bytes) {
    this.#countDeliveries(bytes);
    const acked = this.#acks.feed(bytes);
    this.#tally.acked += acked;
    if (this.#isSending) for (let i = 0; i < acked; i++) this.send();
  }

  #countDeliveries(bytes) {
    this.#stampAt = 0;
    this.#chunk = bytes;
    const count = this.#deliveries.feed(bytes, this.#found);
    if (count > 0) this.#tally.delivered(count, this.#stampAt > 0 ? this.#stamp : undefined);
    else if (bytes.length === this.#dialect.ping.length && bytes.equals(this.#dialect.ping)) this.#socket.write(this.#dialect.pong);
  }

  #found = (end) => {
    this.#stampAt = end;
  };

  #stamp = () =>
    this.#stampAt + STAMP_DIGITS <= this.#chunk.length ? this.#chunk.latin1Slice(this.#stampAt, this.#stampAt + STAMP_DIGITS) : 0;
}

/** Goes through a peer's steps as text comes in. */
class Opening {
  #steps;
  #write;
  #text = '';

  constructor(steps, write) {
    this.#steps = steps;
    this.#write = write;
  }

  /** @returns whether it is through. @throws with what the peer said instead */
  feed(text) {
    this.#text += text;
    while (this.#steps.length > 0) {
      const [step] = this.#steps;
      const at = this.#text.indexOf(step.await);
      if (at === -1) break;
      this.#text = this.#text.slice(at + step.await.length);
      this.#steps.shift();
      for (const frame of step.send) this.#write(frame);
    }
    if (this.#steps.length > 0 && (/^HTTP\/1\.1 [^1]/.test(this.#text) || this.#text.includes('"event":"error"'))) {
      throw new Error(`refused: ${this.#text.slice(0, 1_000)}`);
    }
    return this.#steps.length === 0;
  }
}
