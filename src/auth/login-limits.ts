import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import type { RateLimitPolicy } from '../errors/rate-limit-headers.js';
import { rateLimited } from '../limits/rate-limits.js';
import { RedisBreaker } from '../limits/redis-breaker.js';
import { SharedWindows } from '../limits/shared-windows.js';
import { RedisConnections } from '../redis/redis-connections.js';

/** Attempts allowed in a window over all instances, by their part of keys in Redis; then the key waits until its window ends. */
export const LOGIN_LIMITS = {
  account: { name: 'account', quota: 10, windowSeconds: 15 * 60 },
  address: { name: 'logins', quota: 100, windowSeconds: 15 * 60 },
  registration: { name: 'registrations', quota: 200, windowSeconds: 10 * 60 },
  guest: { name: 'guests', quota: 100, windowSeconds: 10 * 60 },
} as const satisfies Record<string, RateLimitPolicy>;

type LoginLimit = keyof typeof LOGIN_LIMITS;

/** Slows down guessing. An attempt counts before its password is looked at, so that attempts at once count too. */
@Injectable()
export class LoginLimits {
  readonly #enabled: boolean;
  readonly #windows: Record<LoginLimit, SharedWindows>;

  constructor(config: Config, redis: RedisConnections, breaker: RedisBreaker) {
    this.#enabled = config.limits;
    const windows = (limit: LoginLimit) => {
      const { quota: points, windowSeconds } = LOGIN_LIMITS[limit];
      return new SharedWindows({ name: limit, points, windowSeconds }, config, redis, breaker);
    };
    this.#windows = {
      account: windows('account'),
      address: windows('address'),
      registration: windows('registration'),
      guest: windows('guest'),
    };
  }

  /** @throws {ChatError} rate_limited */
  async attemptLogin(username: string, address: string): Promise<void> {
    // The address first: one that is over its limit cannot lock accounts any more.
    await this.#consume('address', address);
    await this.#consume('account', username.toLowerCase());
  }

  /** The password was right: the account starts anew, and the attempt does not count against the address. */
  async loggedIn(username: string, address: string): Promise<void> {
    if (!this.#enabled) return;
    const { account, address: addresses } = this.#windows;
    await Promise.all([account.forgive(username.toLowerCase(), 'all'), addresses.forgive(address, 1)]);
  }

  /** @throws {ChatError} rate_limited */
  async attemptRegistration(address: string): Promise<void> {
    await this.#consume('registration', address);
  }

  /** @throws {ChatError} rate_limited */
  async attemptGuest(address: string): Promise<void> {
    await this.#consume('guest', address);
  }

  async #consume(limit: LoginLimit, key: string): Promise<void> {
    if (!this.#enabled) return;
    const retryAfterMs = await this.#windows[limit].consume(key);
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs, LOGIN_LIMITS[limit]);
  }
}
