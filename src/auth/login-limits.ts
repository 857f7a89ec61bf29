import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { rateLimited } from '../limits/rate-limits.js';
import { RedisBreaker } from '../limits/redis-breaker.js';
import { SharedWindows } from '../limits/shared-windows.js';
import { RedisConnections } from '../redis/redis-connections.js';

/** Attempts allowed in a window over all instances; then the key waits until its window ends. */
export const LOGIN_LIMITS = {
  account: { points: 10, windowSeconds: 15 * 60 },
  address: { points: 100, windowSeconds: 15 * 60 },
  registration: { points: 200, windowSeconds: 10 * 60 },
  guest: { points: 100, windowSeconds: 10 * 60 },
} as const;

/** Slows down guessing. An attempt counts before its password is looked at, so that attempts at once count too. */
@Injectable()
export class LoginLimits {
  readonly #enabled: boolean;
  readonly #accounts: SharedWindows;
  readonly #addresses: SharedWindows;
  readonly #registrations: SharedWindows;
  readonly #guests: SharedWindows;

  constructor(config: Config, redis: RedisConnections, breaker: RedisBreaker) {
    this.#enabled = config.limits;
    const windows = (name: keyof typeof LOGIN_LIMITS) => new SharedWindows({ name, ...LOGIN_LIMITS[name] }, config, redis, breaker);
    this.#accounts = windows('account');
    this.#addresses = windows('address');
    this.#registrations = windows('registration');
    this.#guests = windows('guest');
  }

  /** @throws {ChatError} rate_limited */
  async attemptLogin(username: string, address: string): Promise<void> {
    // The address first: one that is over its limit cannot lock accounts any more.
    await this.#consume(this.#addresses, address);
    await this.#consume(this.#accounts, username.toLowerCase());
  }

  /** The password was right: the account starts anew, and the attempt does not count against the address. */
  async loggedIn(username: string, address: string): Promise<void> {
    if (!this.#enabled) return;
    await Promise.all([this.#accounts.forgive(username.toLowerCase(), 'all'), this.#addresses.forgive(address, 1)]);
  }

  /** @throws {ChatError} rate_limited */
  async attemptRegistration(address: string): Promise<void> {
    await this.#consume(this.#registrations, address);
  }

  /** @throws {ChatError} rate_limited */
  async attemptGuest(address: string): Promise<void> {
    await this.#consume(this.#guests, address);
  }

  async #consume(windows: SharedWindows, key: string): Promise<void> {
    if (!this.#enabled) return;
    const retryAfterMs = await windows.consume(key);
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs);
  }
}
