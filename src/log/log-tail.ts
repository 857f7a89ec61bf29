import { LIMITS } from '../protocol/index.js';

/** What one user missed of a room. */
export interface Missed<Event> {
  events: readonly Event[];
  /** The events as JSON with commas between: a piece of one buffer that all share who missed it, so it is never to be written to. */
  eventsJson: Buffer;
}

export const NOTHING_MISSED: Missed<never> = { events: [], eventsJson: Buffer.alloc(0) };

/** The last events of a room's log, encoded once for all who missed some of them. */
export class LogTail<Event extends { json: string }> {
  readonly #json: Buffer;
  /** Where each event begins in `#json`. */
  readonly #starts: number[] = [];
  readonly #cuts = new Map<number, Missed<Event> | null>();

  /** @param events in seq order, without a gap up to the head */
  constructor(private readonly events: readonly Event[]) {
    this.#json = Buffer.from(events.map(({ json }) => json).join(','));
    let start = 0;
    for (const { json } of events) {
      this.#starts.push(start);
      start += Buffer.byteLength(json) + 1;
    }
  }

  /** The last `count` events, in order; null when they are more than was read, or than one replay may have. Never in part. */
  last(count: number): Missed<Event> | null {
    if (count === 0) return NOTHING_MISSED;
    let cut = this.#cuts.get(count);
    if (cut === undefined) this.#cuts.set(count, (cut = this.#cut(count)));
    return cut;
  }

  #cut(count: number): Missed<Event> | null {
    if (count > this.events.length || count > LIMITS.replayEvents) return null;
    const first = this.events.length - count;
    const eventsJson = this.#json.subarray(this.#starts[first]);
    const commas = count - 1;
    return eventsJson.length - commas <= LIMITS.replayBytes ? { events: this.events.slice(first), eventsJson } : null;
  }
}
