import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from '../config/config.js';
import type { RedisConnections } from '../redis/redis-connections.js';
import { type RedisBreaker } from './redis-breaker.js';

export interface WindowOptions {
  /** Part of its keys in Redis; unique in the program. */
  name: string;
  /** Allowed in a window over all instances. */
  points: number;
  windowSeconds: number;
}

/**
 * Counts by key in windows that all instances share. Without Redis, or when it does not answer within 100 ms, this instance counts in its
 * own memory, and Redis is left alone for a second.
 */
export class SharedWindows {
  readonly #memory: RateLimiterMemory;
  readonly #redis: RateLimiterRedis | undefined;

  constructor(
    { name, points, windowSeconds: duration }: WindowOptions,
    config: Config,
    connections: RedisConnections,
    private readonly breaker: RedisBreaker,
  ) {
    const options = { keyPrefix: `${config.redisPrefix}:limit:${name}`, points, duration };
    this.#memory = new RateLimiterMemory(options);
    if (config.redisUrl.length > 0) this.#redis = new RateLimiterRedis({ ...options, storeClient: connections.commands });
  }

  /** @returns 0, or the milliseconds until the window ends that has no points left */
  consume(key: string, points = 1): Promise<number> {
    return this.#ask(async (limiter) => {
      try {
        await limiter.consume(key, points);
        return 0;
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext);
        throw refusal;
      }
    });
  }

  /**
   * Adds what was taken already, and is limited in memory.
   * @returns what all instances have added in this window, and how long ago it began; null when Redis does not answer
   */
  async report(key: string, points: number): Promise<{ counted: number; sinceMs: number } | null> {
    if (!this.#redis || !this.breaker.isClosed) return null;
    try {
      const { consumedPoints, msBeforeNext } = await this.#redis.consume(key, points);
      return { counted: consumedPoints, sinceMs: this.#redis.duration * 1_000 - msBeforeNext };
    } catch {
      this.breaker.open();
      return null;
    }
  }

  /** Gives points back, or all of them. */
  async forgive(key: string, points: number | 'all'): Promise<void> {
    await this.#ask<unknown>((limiter) => (points === 'all' ? limiter.delete(key) : limiter.reward(key, points)));
  }

  async #ask<T>(work: (limiter: RateLimiterRedis | RateLimiterMemory) => Promise<T>): Promise<T> {
    if (!this.#redis || !this.breaker.isClosed) return work(this.#memory);
    try {
      return await work(this.#redis);
    } catch {
      this.breaker.open();
      return work(this.#memory);
    }
  }
}
