import { LRUCache } from 'lru-cache';

export interface BucketOptions {
  perSecond: number;
  /** What a bucket that was left alone gives at once. */
  burst: number;
  /** Keys remembered; over it, the one that was quiet longest is forgotten, and so gets a full bucket again. */
  maxKeys: number;
  /** A clock that never goes back, in milliseconds. */
  now?: () => number;
  /** Told each time a key has taken `tokens`, a tenth of the burst, within the time that fills a bucket. Who takes less is not told of. */
  onTaken?: (key: string, tokens: number) => void;
}

/** What a key has left. */
export interface Standing {
  tokens: number;
  /** Until it has all of them again. */
  fullInMs: number;
}

interface Bucket {
  fullAt: number;
  /** Taken since `untoldSince`, and not told. */
  untold: number;
  untoldSince: number;
}

/**
 * One token bucket a key, in constant memory a key and without timers (GCRA: a bucket is the time at which it would be full again).
 * In any stretch of t seconds a key gets at most `burst + perSecond × t` tokens, as long as it is remembered.
 */
export class TokenBuckets {
  /** What `onTaken` is told at a time. */
  readonly chunk: number;
  /** In which an empty bucket fills. */
  readonly fillMs: number;
  readonly #buckets: LRUCache<string, Bucket>;
  readonly #msPerToken: number;
  readonly #now: () => number;
  readonly #onTaken: BucketOptions['onTaken'];

  constructor({ perSecond, burst, maxKeys, now = () => performance.now(), onTaken }: BucketOptions) {
    this.chunk = Math.ceil(burst / 10);
    this.#buckets = new LRUCache({ max: maxKeys });
    this.#msPerToken = 1000 / perSecond;
    this.fillMs = burst * this.#msPerToken;
    this.#now = now;
    this.#onTaken = onTaken;
  }

  /**
   * Takes `cost` tokens, or none.
   * @returns 0 when they were taken, else the milliseconds after which they would be, at least 1; Infinity when `cost` is over the burst
   */
  take(key: string, cost = 1): number {
    const costMs = cost * this.#msPerToken;
    if (costMs > this.fillMs) return Infinity;
    const now = this.#now();
    const bucket = this.#bucket(key, now);
    const fullAt = Math.max(now, bucket.fullAt) + costMs;
    const overMs = fullAt - now - this.fillMs;
    // Rounded, since sums of fractions of a millisecond drift apart.
    if (overMs > 0) {
      const waitMs = Math.ceil(Number(overMs.toFixed(6)));
      if (waitMs > 0) return waitMs;
    }
    bucket.fullAt = fullAt;
    if (this.#onTaken) this.#tell(key, bucket, cost, now);
    return 0;
  }

  /** Gives back what a take has taken for nothing. */
  giveBack(key: string, cost = 1): void {
    const bucket = this.#buckets.get(key);
    if (!bucket) return;
    bucket.fullAt -= cost * this.#msPerToken;
    bucket.untold -= cost;
  }

  /** Takes what was given elsewhere, also when there is not so much: then nothing is given until it has come back, twice `fillMs` at most. */
  owe(key: string, tokens: number): void {
    const now = this.#now();
    const bucket = this.#bucket(key, now);
    bucket.fullAt = Math.min(Math.max(now, bucket.fullAt) + tokens * this.#msPerToken, now + 2 * this.fillMs);
  }

  standing(key: string): Standing {
    const fullInMs = Math.max(0, (this.#buckets.get(key)?.fullAt ?? 0) - this.#now());
    return { tokens: Math.max(0, Math.floor((this.fillMs - fullInMs) / this.#msPerToken + 1e-6)), fullInMs };
  }

  #bucket(key: string, now: number): Bucket {
    let bucket = this.#buckets.get(key);
    if (!bucket) this.#buckets.set(key, (bucket = { fullAt: now, untold: 0, untoldSince: now }));
    return bucket;
  }

  #tell(key: string, bucket: Bucket, cost: number, now: number): void {
    if (now - bucket.untoldSince > this.fillMs) {
      bucket.untold = 0;
      bucket.untoldSince = now;
    }
    bucket.untold += cost;
    if (bucket.untold < this.chunk) return;
    const tokens = bucket.untold;
    bucket.untold = 0;
    bucket.untoldSince = now;
    this.#onTaken!(key, tokens);
  }
}
