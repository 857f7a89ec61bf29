import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { Config } from '../config/config.js';

export type RedisClient = Redis | Cluster;

/** What waits for Redis at all waits this long. */
const COMMAND_MS = 100;
const CONNECT_MS = 2_000;
const MAX_RETRY_MS = 1_000;

const NODE_OPTIONS: RedisOptions = {
  connectTimeout: CONNECT_MS,
  // A command that could not be sent at once fails at once: nothing queues up while Redis is away, and none is sent twice.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  keepAlive: 10_000,
};

/**
 * This instance's connections to Redis, or to its cluster; none is made before it is asked for. Each reconnects by itself for ever. Ended
 * in the shutdown's last step, behind everybody who has something to say until then.
 */
@Injectable()
export class RedisConnections implements OnApplicationShutdown {
  readonly #logger = new Logger(RedisConnections.name);
  readonly #clients = new Set<RedisClient>();
  #commands: RedisClient | undefined;

  constructor(private readonly config: Config) {}

  /** The one that all commands share: pipelined by itself, and each command fails within 100 ms when Redis does not answer. */
  get commands(): RedisClient {
    this.#commands ??= this.open('commands', { commandTimeout: COMMAND_MS, enableAutoPipelining: true });
    return this.#commands;
  }

  /** A connection of the caller's own, for subscribing: its subscriptions are not renewed when it reconnects. */
  subscriber(): RedisClient {
    return this.open('subscriber', { autoResubscribe: false });
  }

  onApplicationShutdown(): void {
    for (const client of this.#clients) client.disconnect();
  }

  private open(purpose: string, options: Pick<RedisOptions, 'commandTimeout' | 'enableAutoPipelining' | 'autoResubscribe'>): RedisClient {
    const client = this.config.redisCluster ? this.#cluster(options) : this.#single(options);
    this.#clients.add(client);
    client.on('end', () => this.#clients.delete(client));
    let isDown = false;
    // Without a listener the process ends. One line an outage, not one an attempt.
    client.on('error', (error: Error) => {
      if (!isDown) this.#logger.warn(`Redis (${purpose}) is away; trying again: ${error.message}`);
      isDown = true;
    });
    client.on('ready', () => {
      if (isDown) this.#logger.log(`Redis (${purpose}) is back.`);
      isDown = false;
    });
    return client;
  }

  #single(options: RedisOptions): Redis {
    return new Redis(this.config.redisUrl[0]!, { ...NODE_OPTIONS, ...options, retryStrategy: backoff });
  }

  #cluster({ enableAutoPipelining = false, ...node }: RedisOptions): Cluster {
    const { enableOfflineQueue, ...nodeOptions } = NODE_OPTIONS;
    const options: ClusterOptions = {
      shardedSubscribers: true,
      enableOfflineQueue: enableOfflineQueue!,
      enableAutoPipelining,
      clusterRetryStrategy: backoff,
      redisOptions: { ...nodeOptions, ...node },
    };
    return new Cluster([...this.config.redisUrl], options);
  }
}

/** @returns milliseconds; jittered, so that not all instances come back at once */
function backoff(attempt: number): number {
  return Math.round(Math.min(MAX_RETRY_MS, 50 * 2 ** Math.min(attempt, 5)) * (0.5 + Math.random() / 2));
}
