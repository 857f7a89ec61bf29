import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { Config } from '../config/config.js';

export type RedisClient = Redis | Cluster;

export interface RedisNode {
  host: string;
  port: number;
}

/** What waits for Redis at all waits this long. */
const COMMAND_MS = 100;
const CONNECT_MS = 2_000;
/** What Redis has to answer a farewell. A connection that is lost already never does, and would keep a process from ending. */
const FAREWELL_MS = 200;
/** A connection that owes an answer and is silent this long is hung, or its other end is gone without a word: it is made anew. */
const SILENCE_MS = 5_000;
const MAX_RETRY_MS = 1_000;
/** How often a cluster is asked which node has which slots, when nothing went wrong. */
const SLOTS_MS = 5_000;

const NODE_OPTIONS = {
  connectTimeout: CONNECT_MS,
  socketTimeout: SILENCE_MS,
  disconnectTimeout: FAREWELL_MS,
  // A command that could not be sent at once fails at once: nothing queues up while Redis is away, and none is sent twice.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  keepAlive: 10_000,
} satisfies RedisOptions;

type Purpose = Pick<RedisOptions, 'commandTimeout' | 'enableAutoPipelining' | 'autoResubscribe'>;

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
    this.#commands ??= this.#open('commands', { commandTimeout: COMMAND_MS, enableAutoPipelining: true });
    return this.#commands;
  }

  /**
   * A connection of the caller's own, for publishing: pipelined by itself. It has no deadline, so that a command which is not settled is
   * one whose bytes are still held; the caller bounds them.
   */
  publisher(): RedisClient {
    return this.#open('publisher', { enableAutoPipelining: true });
  }

  /**
   * A connection of the caller's own, for subscribing: its subscriptions are not renewed when it reconnects.
   * @param whose for the log, which tells of each connection by itself
   * @param node one node of a cluster, since sharded channels are heard only where they live; not given where there is no cluster
   */
  subscriber(whose: 'bus' | 'presence', node?: RedisNode): Redis {
    const options: RedisOptions = { ...NODE_OPTIONS, autoResubscribe: false, retryStrategy: backoff };
    const client = node
      ? new Redis({ ...options, ...credentials(this.config.redisUrl), ...node })
      : new Redis(this.config.redisUrl[0]!, options);
    return this.#keep(client, `${whose}, hearing${node ? ` at ${node.host}:${node.port}` : ''}`);
  }

  onApplicationShutdown(): void {
    for (const client of this.#clients) client.disconnect();
  }

  #open(purpose: string, options: Purpose): RedisClient {
    return this.#keep(this.config.redisCluster ? this.#cluster(options) : this.#single(options), purpose);
  }

  #keep<T extends RedisClient>(client: T, purpose: string): T {
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

  #single(options: Purpose): Redis {
    return new Redis(this.config.redisUrl[0]!, { ...NODE_OPTIONS, ...options, retryStrategy: backoff });
  }

  #cluster({ enableAutoPipelining = false, ...node }: Purpose): Cluster {
    const { enableOfflineQueue, ...nodeOptions } = NODE_OPTIONS;
    const options: ClusterOptions = {
      enableOfflineQueue,
      enableAutoPipelining,
      clusterRetryStrategy: backoff,
      // As with one Redis: what could not be sent is not sent again later.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      slotsRefreshInterval: SLOTS_MS,
      redisOptions: { ...nodeOptions, ...node, ...credentials(this.config.redisUrl) },
    };
    return new Cluster([...this.config.redisUrl], options);
  }
}

// The nodes that a cluster names by itself are known by address only: they are entered as the ones in the setting are.
function credentials(urls: readonly string[]): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  const { username, password, protocol } = new URL(urls.find((url) => new URL(url).password !== '') ?? urls[0]!);
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

/** @returns milliseconds; jittered, so that not all instances come back at once */
function backoff(attempt: number): number {
  return Math.round(Math.min(MAX_RETRY_MS, 50 * 2 ** Math.min(attempt, 5)) * (0.5 + Math.random() / 2));
}
