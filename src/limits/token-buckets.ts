import { LRUCache } from 'lru-cache';

export interface BucketOptions {
  perSecond: number;
  /** What a bucket that was left alone gives at once. */
  burst: number;
  /** Keys remembered; over it, the one that was quiet longest is forgotten, and so gets a full bucket again. */
  maxKeys: number;
  /** A clock that never goes back, in milliseconds. */
  now?: () => number;
}

/**
 * One token bucket a key, in constant memory a key and without timers (GCRA: a bucket is the time at which it would be full again).
 * In any stretch of t seconds a key gets at most `burst + perSecond × t` tokens, as long as it is remembered.
 */
export class TokenBuckets {
  readonly #fullAt: LRUCache<string, number>;
  readonly #msPerToken: number;
  readonly #burstMs: number;
  readonly #now: () => number;

  constructor({ perSecond, burst, maxKeys, now = () => performance.now() }: BucketOptions) {
    this.#fullAt = new LRUCache({ max: maxKeys });
    this.#msPerToken = 1000 / perSecond;
    this.#burstMs = burst * this.#msPerToken;
    this.#now = now;
  }

  /**
   * Takes `cost` tokens, or none.
   * @returns 0 when they were taken, else the milliseconds after which they would be, at least 1; Infinity when `cost` is over the burst
   */
  take(key: string, cost = 1): number {
    const costMs = cost * this.#msPerToken;
    if (costMs > this.#burstMs) return Infinity;
    const now = this.#now();
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? now) + costMs;
    // Rounded, since sums of fractions of a millisecond drift apart.
    const waitMs = Math.ceil(Number((fullAt - now - this.#burstMs).toFixed(6)));
    if (waitMs > 0) return waitMs;
    this.#fullAt.set(key, fullAt);
    return 0;
  }
}
