import type { Rate } from '../config/setting-values.js';
import { type SharedWindows, type WindowOptions } from './shared-windows.js';
import { type Standing, TokenBuckets } from './token-buckets.js';

const MAX_KEYS = 100_000;

/**
 * A rate limit that holds over all instances and waits for none of them. This instance's bucket decides at once; Redis is told behind it,
 * a tenth of the burst at a time, and answers when all instances together have given what one may give in a window: then the key is blocked
 * here until the window ends.
 *
 * The window is the time in which an empty bucket fills, w. In a window a key gets at most `burst + perSecond × w` tokens, and more by what
 * each instance has not told yet: less than a tenth of the burst, and what it gives while an answer is under way. Redis never hears of who
 * takes less than a tenth of the burst in a window. Without Redis each instance gives what its own bucket has.
 */
export class SharedLimit {
  readonly rate: Rate;
  readonly windowSeconds: number;
  readonly #buckets: TokenBuckets;

  constructor(name: string, rate: Rate, windows: (options: WindowOptions) => SharedWindows) {
    this.rate = rate;
    this.windowSeconds = Math.max(1, Math.ceil(rate.burst / rate.perSecond));
    const points = rate.burst + rate.perSecond * this.windowSeconds;
    const shared = windows({ name, points, windowSeconds: this.windowSeconds });
    const onTaken = (key: string, tokens: number) => void this.#report(shared, key, tokens);
    this.#buckets = new TokenBuckets({ ...rate, maxKeys: MAX_KEYS, onTaken });
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
    const waitMs = await shared.report(key, tokens);
    if (waitMs > 0) this.#buckets.block(key, waitMs);
  }
}
