import { LRUCache } from 'lru-cache';
import type { Rate } from '../config/setting-values.js';
import type { RateLimitPolicy } from '../errors/rate-limit-headers.js';
import { type SharedWindows, type WindowOptions } from './shared-windows.js';
import { type Standing, TokenBuckets } from './token-buckets.js';

const MAX_KEYS = 100_000;

/**
 * A rate limit that holds over all instances and waits for none of them. This instance's bucket decides at once; Redis is told behind it,
 * a tenth of the burst at a time, and answers how much all instances have taken: what the others took is taken from the bucket here too.
 *
 * So over n instances a key gets in any stretch of t seconds at most `burst + perSecond × t` tokens, and more by what each instance has not
 * told yet: less than a tenth of the burst, and what it gives while an answer is under way; what was given too much is owed. Redis never
 * hears of who takes less than a tenth of the burst in the time that fills a bucket. Without Redis each instance gives what its own bucket has.
 */
export class SharedLimit {
  /** What answers tell of it: its quota is the burst, and its window the time in which an empty bucket fills. */
  readonly policy: Readonly<RateLimitPolicy>;
  readonly #perSecond: number;
  readonly #buckets: TokenBuckets;
  /** By key: what all had taken in Redis's window when it last answered. */
  readonly #seen: LRUCache<string, number>;

  /** @param names `countedAs`: its part of keys in Redis */
  constructor(
    { name, countedAs }: Pick<RateLimitPolicy, 'name'> & { countedAs: string },
    rate: Rate,
    windows: (options: WindowOptions) => SharedWindows,
  ) {
    const windowSeconds = Math.max(1, Math.ceil(rate.burst / rate.perSecond));
    this.policy = { name, quota: rate.burst, windowSeconds };
    this.#perSecond = rate.perSecond;
    // Only counted there: what is over is known here.
    const shared = windows({ name: countedAs, points: Number.MAX_SAFE_INTEGER, windowSeconds });
    const onTaken = (key: string, tokens: number) => void this.#report(shared, key, tokens);
    this.#buckets = new TokenBuckets({ ...rate, maxKeys: MAX_KEYS, onTaken });
    this.#seen = new LRUCache({ max: MAX_KEYS, ttl: windowSeconds * 1_000 });
  }

  /** @returns 0 when a token was taken, else the milliseconds after which to try again */
  take(key: string): number {
    return this.#buckets.take(key);
  }

  giveBack(key: string): void {
    this.#buckets.giveBack(key);
  }

  standing(key: string): Standing {
    return this.#buckets.standing(key);
  }

  async #report(shared: SharedWindows, key: string, tokens: number): Promise<void> {
    const answer = await shared.report(key, tokens);
    if (answer === null) return;
    const { counted, sinceMs } = answer;
    const seen = this.#seen.get(key);
    this.#seen.set(key, counted);
    let byOthers = counted - tokens;
    // Heard of for the first time: what they took has been coming back to the key since the window began.
    if (seen === undefined) byOthers -= (sinceMs / 1_000) * this.#perSecond;
    // A window that began anew counts from nothing.
    else if (counted > seen) byOthers -= seen;
    if (byOthers > 0) this.#buckets.owe(key, byOthers);
  }
}
