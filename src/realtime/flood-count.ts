/** Counts what a client does too much of, in windows that begin with the first of their events. */
export class FloodCount {
  #startedAt = -Infinity;
  #count = 0;

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
  ) {}

  /** @param now milliseconds. @returns whether this one is over the limit of its window */
  isOver(now: number): boolean {
    if (now - this.#startedAt >= this.windowMs) {
      this.#startedAt = now;
      this.#count = 0;
    }
    return ++this.#count > this.limit;
  }
}
