import type { Redis } from 'ioredis';
import type { RedisClient } from '../redis/redis-connections.js';

/**
 * How channels are published and heard on what REDIS_URL names. A *home* is one server that channels live on: there is one where there
 * is one Redis, and one a master in a cluster, where slots (and their channels) may move from home to home at any time.
 */
export interface PubSub {
  readonly publisher: RedisClient;
  /** The event by which a subscriber's connection tells of a message: `(channel, message)`, both Buffers. */
  readonly messageEvent: 'messageBuffer' | 'smessageBuffer';

  /** @returns how many connections of that server heard it. Rejects when it certainly or probably was not published. */
  publish(channel: string, message: Buffer): Promise<number>;

  /** All homes, by names that only `connect` reads. Empty while they are not known. */
  homes(): readonly string[];
  /** Null while it is not known. */
  homeOf(channel: string): string | null;
  /** A channel of this instance alone that lives there; null when there is none. */
  echoChannel(home: string): string | null;
  /** Asks again where channels live. */
  refresh(): void;

  connect(home: string): Redis;
  /** Splits channels of one home into groups of what one command may name. */
  group(channels: readonly string[]): readonly (readonly string[])[];
  subscribe(client: Redis, group: readonly string[]): Promise<unknown>;
  unsubscribe(client: Redis, group: readonly string[]): Promise<unknown>;
}

/** Channels that one command names at most, so that no reply to it holds up the rest for long. */
export const GROUP_SIZE = 1_000;
