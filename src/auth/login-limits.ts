import { Injectable } from '@nestjs/common';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { Config } from '../config/config.js';
import { rateLimited } from '../limits/rate-limits.js';

/** Attempts allowed in a window; then the key waits until its window ends. */
export const LOGIN_LIMITS = {
  account: { points: 10, duration: 15 * 60 },
  address: { points: 100, duration: 15 * 60 },
  registration: { points: 200, duration: 10 * 60 },
} as const;

/** Slows down guessing. An attempt counts before its password is looked at, so that attempts at once count too. */
@Injectable()
export class LoginLimits {
  readonly #enabled: boolean;
  readonly #accounts = new RateLimiterMemory({ ...LOGIN_LIMITS.account, keyPrefix: 'account' });
  readonly #addresses = new RateLimiterMemory({ ...LOGIN_LIMITS.address, keyPrefix: 'address' });
  readonly #registrations = new RateLimiterMemory({ ...LOGIN_LIMITS.registration, keyPrefix: 'registration' });

  constructor(config: Config) {
    this.#enabled = config.limits;
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
    await Promise.all([this.#accounts.delete(username.toLowerCase()), this.#addresses.reward(address, 1)]);
  }

  /** @throws {ChatError} rate_limited */
  async attemptRegistration(address: string): Promise<void> {
    await this.#consume(this.#registrations, address);
  }

  async #consume(limiter: RateLimiterMemory, key: string): Promise<void> {
    if (!this.#enabled) return;
    try {
      await limiter.consume(key);
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) throw rateLimited(Math.max(1, refusal.msBeforeNext));
      throw refusal;
    }
  }
}
