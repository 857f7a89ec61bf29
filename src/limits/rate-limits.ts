import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';
import { TokenBuckets } from './token-buckets.js';

const MAX_KEYS = 100_000;

/** The server's general limits, of this instance. `LIMITS=off` lets everything pass. */
@Injectable()
export class RateLimits {
  readonly #enabled: boolean;
  readonly #commands = new TokenBuckets({ perSecond: 50, burst: 500, maxKeys: MAX_KEYS });
  readonly #handshakes = new TokenBuckets({ perSecond: 200, burst: 6_000, maxKeys: MAX_KEYS });

  constructor(config: Config) {
    this.#enabled = config.limits;
  }

  /** One command or REST request of a user. @returns 0, or the milliseconds to wait. */
  takeCommand(user: string): number {
    return this.#enabled ? this.#commands.take(user) : 0;
  }

  /** One upgrade from an address (see `clientAddress`). @returns 0, or the milliseconds to wait. */
  takeHandshake(address: string): number {
    return this.#enabled ? this.#handshakes.take(address) : 0;
  }
}

export function rateLimited(retryAfterMs: number): ChatError {
  return new ChatError('rate_limited', 'Too many requests; try again later.', { retryAfterMs });
}
