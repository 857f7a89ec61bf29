import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';

const RETRY_MS = 5_000;

/** How many sockets each user has open on this instance. */
@Injectable()
export class OpenConnections {
  readonly #counts = new Map<string, number>();

  constructor(private readonly config: Config) {}

  opened(user: string): void {
    this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1);
  }

  /** One that was `opened` has closed. */
  closed(user: string): void {
    const left = (this.#counts.get(user) ?? 0) - 1;
    if (left > 0) this.#counts.set(user, left);
    else this.#counts.delete(user);
  }

  /** @throws {ChatError} rate_limited, when the user may open no more */
  assertRoomFor(user: string): void {
    if ((this.#counts.get(user) ?? 0) < this.config.connectionsPerUser) return;
    throw new ChatError('rate_limited', 'The user has too many open connections.', { retryAfterMs: RETRY_MS });
  }
}
