import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import type { Rate } from '../config/setting-values.js';
import { ChatError } from '../errors/chat-error.js';
import type { RateLimitPolicy } from '../errors/rate-limit-headers.js';
import { isGuest } from '../protocol/index.js';
import { RedisConnections } from '../redis/redis-connections.js';
import { RedisBreaker } from './redis-breaker.js';
import { SharedLimit } from './shared-limit.js';
import { SharedWindows, type WindowOptions } from './shared-windows.js';
import { TokenBuckets } from './token-buckets.js';

const MAX_CONNECTIONS = 100_000;

/**
 * The server's general limits, over all instances (see `SharedLimit`); nothing here waits. Each `take…` returns 0 when one was taken, else
 * the milliseconds to wait: what it was for is then certainly not done. `LIMITS=off` lets everything pass.
 */
@Injectable()
export class RateLimits {
  readonly isOn: boolean;
  readonly requests: SharedLimit;
  readonly sends: SharedLimit;
  readonly joins: SharedLimit;
  readonly handshakes: SharedLimit;
  readonly #commands: SharedLimit;
  readonly #guestCommands: SharedLimit;
  /** A connection is open on one instance. Null where the user's own limit is as tight. */
  readonly #connections: TokenBuckets | null;

  constructor(config: Config, redis: RedisConnections, breaker: RedisBreaker) {
    const windows = (options: WindowOptions) => new SharedWindows(options, config, redis, breaker);
    this.isOn = config.limits;
    this.#commands = new SharedLimit({ name: 'user', countedAs: 'commands' }, config.limitCommands, windows);
    this.#guestCommands = new SharedLimit({ name: 'user', countedAs: 'guestCommands' }, config.limitCommandsPerGuest, windows);
    this.requests = new SharedLimit({ name: 'address', countedAs: 'requests' }, config.limitRequestsPerAddress, windows);
    this.sends = new SharedLimit({ name: 'room', countedAs: 'sends' }, config.limitSendsPerRoom, windows);
    this.joins = new SharedLimit({ name: 'joins', countedAs: 'joins' }, config.limitJoins, windows);
    this.handshakes = new SharedLimit({ name: 'handshakes', countedAs: 'handshakes' }, config.limitHandshakes, windows);
    const byConnection = config.limitCommandsPerConnection;
    this.#connections = isTighter(byConnection, config.limitCommands)
      ? new TokenBuckets({ ...byConnection, maxKeys: MAX_CONNECTIONS })
      : null;
  }

  /** What `takeCommand` takes the user's from: guests have less. */
  commandsOf(user: string): SharedLimit {
    return isGuest(user) ? this.#guestCommands : this.#commands;
  }

  /** One REST request of a user, or one command of his on a connection. */
  takeCommand(user: string, connection?: string): number {
    if (!this.isOn) return 0;
    if (this.#connections !== null && connection !== undefined) {
      const waitMs = this.#connections.take(connection);
      if (waitMs > 0) return waitMs;
    }
    return this.commandsOf(user).take(user);
  }

  /** One REST request from an address (see `clientAddress`) that no user made: without a token, or with one that does not count. */
  takeRequest(address: string): number {
    return this.isOn ? this.requests.take(address) : 0;
  }

  /** One upgrade from an address (see `clientAddress`). */
  takeHandshake(address: string): number {
    return this.isOn ? this.handshakes.take(address) : 0;
  }

  /** One message to a room. */
  takeSend(room: string): number {
    return this.isOn ? this.sends.take(room) : 0;
  }

  /** A message was refused: it does not count against its room, or strangers could use up what its members have. */
  giveBackSend(room: string): void {
    this.sends.giveBack(room);
  }

  takeJoin(user: string): number {
    return this.isOn ? this.joins.take(user) : 0;
  }
}

/** @param limit what refused; a socket's answers do not tell it */
export function rateLimited(retryAfterMs: number, limit?: RateLimitPolicy): ChatError {
  return new ChatError('rate_limited', 'Too many requests; try again later.', { retryAfterMs, ...(limit && { limit }) });
}

function isTighter(one: Rate, other: Rate): boolean {
  return one.perSecond < other.perSecond || one.burst < other.burst;
}
