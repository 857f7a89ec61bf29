import { Injectable } from '@nestjs/common';
import type { BatcherOptions } from './batcher.js';

/** So many handshakes in so short a time are a storm, which lasts until so long after the last such time. */
const ARRIVALS = 20;
const WITHIN_MS = 200;
const LASTS_MS = 1_000;
const GATHER_MS = 200;

/**
 * Tells when clients come back in a herd: 100 handshakes a second, or more. They come one by one, each a little later than the answer to
 * the look-up of the last: so batches that only wait for each other would stay batches of one. While this lasts, look-ups gather (see
 * `BatcherOptions.gather`), which costs each client less than the statements of the others would.
 */
@Injectable()
export class Storm {
  /** When the last handshakes came; a ring, the oldest at `#next`. */
  readonly #arrivedAt = new Float64Array(ARRIVALS).fill(-Infinity);
  #next = 0;
  #until = -Infinity;

  /** A client opens a connection. */
  arrived(): void {
    const now = performance.now();
    this.#arrivedAt[this.#next] = now;
    this.#next = (this.#next + 1) % ARRIVALS;
    if (now - this.#arrivedAt[this.#next]! < WITHIN_MS) this.#until = now + LASTS_MS;
  }

  get isUnderWay(): boolean {
    return performance.now() < this.#until;
  }

  /** For a batcher of look-ups: in a storm a batch begins when so many items wait, or after a fifth of a second. */
  gathering(items: number): NonNullable<BatcherOptions<unknown>['gather']> {
    return { when: () => this.isUnderWay, items, ms: GATHER_MS };
  }
}
