import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';
import { RedisConnections } from '../redis/redis-connections.js';
import { RedisBreaker } from './redis-breaker.js';
import { SharedConnections } from './shared-connections.js';

const RETRY_MS = 5_000;
/** A crashed instance's sockets count so long. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** Users whose count is renewed together. */
const RENEWED_AT_ONCE = 100;

/**
 * How many sockets each user has open, here and on the other instances, against `CONNECTIONS_PER_USER`.
 *
 * An instance tells the others of a user, by Redis, when he has a tenth of the cap there; who has fewer on each costs nothing, and so each
 * instance may have a tenth less one that the others do not know of. Without Redis it counts its own.
 */
@Injectable()
export class OpenConnections implements OnModuleInit, OnApplicationShutdown {
  readonly #counts = new Map<string, number>();
  /** Users whom the others were told of. */
  readonly #told = new Set<string>();
  readonly #max: number;
  readonly #toldFrom: number;
  readonly #shared: SharedConnections | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    config: Config,
    redis: RedisConnections,
    private readonly breaker: RedisBreaker,
  ) {
    this.#max = config.connectionsPerUser;
    this.#toldFrom = Math.ceil(this.#max / 10);
    if (config.redisUrl.length > 0) this.#shared = new SharedConnections(redis.commands, config.redisPrefix, randomUUID(), LEASE_MS);
  }

  onModuleInit(): void {
    if (this.#shared) this.#timer = setInterval(() => void this.#renew(), RENEW_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  /**
   * Counts one that is about to open; `release` it, whatever becomes of it. Waits for Redis, 100 ms at the longest, only when the user has
   * a tenth of the cap here.
   * @throws {ChatError} rate_limited, when the user may open no more; then nothing was counted
   */
  async claim(user: string): Promise<void> {
    const count = (this.#counts.get(user) ?? 0) + 1;
    if (count > this.#max) throw tooMany(this.#max);
    this.#counts.set(user, count);
    const others = await this.#others(user, count, this.#max);
    if (others + count <= this.#max) return;
    this.release(user);
    throw tooMany(this.#max);
  }

  /** One that was claimed is closed, or has not opened. */
  release(user: string): void {
    const left = (this.#counts.get(user) ?? 0) - 1;
    if (left > 0) this.#counts.set(user, left);
    else this.#counts.delete(user);
    if (this.#told.has(user)) void this.#tell(user);
  }

  /** Asks what `claim` would, and claims nothing. @throws {ChatError} rate_limited */
  async assertRoomFor(user: string): Promise<void> {
    const count = (this.#counts.get(user) ?? 0) + 1;
    // A claim of more than there may ever be is refused, and tells how many the others have.
    const others = count > this.#max ? 0 : await this.#others(user, count, 0);
    if (others + count > this.#max) throw tooMany(this.#max);
  }

  async #others(user: string, count: number, max: number): Promise<number> {
    if (!this.#shared || count < this.#toldFrom || !this.breaker.isClosed) return 0;
    try {
      const others = await this.#shared.claim(user, count, max);
      if (others + count <= max) this.#told.add(user);
      return others;
    } catch {
      this.breaker.open();
      // Redis may have heard it: it is told anew with what is true then.
      if (max > 0) this.#told.add(user);
      return 0;
    }
  }

  async #tell(user: string): Promise<void> {
    const count = this.#counts.get(user) ?? 0;
    const isOver = count < this.#toldFrom;
    if (isOver) this.#told.delete(user);
    if (!this.breaker.isClosed) return;
    // What is not heard ends with its lease, or is told by the next renewal.
    await this.#shared!.tell(user, isOver ? 0 : count).catch(() => this.breaker.open());
  }

  async #renew(): Promise<void> {
    const users = [...this.#counts].filter(([, count]) => count >= this.#toldFrom).map(([user]) => user);
    for (let start = 0; start < users.length; start += RENEWED_AT_ONCE) {
      await Promise.all(users.slice(start, start + RENEWED_AT_ONCE).map((user) => this.#renewOne(user)));
    }
  }

  async #renewOne(user: string): Promise<void> {
    this.#told.add(user);
    await this.#tell(user);
  }
}

function tooMany(max: number): ChatError {
  const limit = { name: 'connections', quota: max } as const;
  return new ChatError('rate_limited', 'The user has too many open connections.', { retryAfterMs: RETRY_MS, limit });
}
