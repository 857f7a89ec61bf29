import { Redis } from 'ioredis';
import { TcpProxy } from './tcp-proxy.js';

/**
 * The Redis that TEST_REDIS_URL names, by way of a proxy: it is hurt by hurting every connection to it. It is emptied, so it can be nobody
 * else's, and only one test file may have it at a time.
 */
export class GivenRedis {
  private constructor(
    private readonly given: URL,
    private readonly proxy: TcpProxy,
  ) {}

  static get isThere(): boolean {
    return (process.env.TEST_REDIS_URL ?? '') !== '';
  }

  /** @throws {Error} when it is not there, or is too old */
  static async check(): Promise<void> {
    const url = givenUrl();
    const info = await overOwnConnection(url, (client) => client.info('server')).catch((error: Error) => {
      throw new Error(`The Redis of TEST_REDIS_URL does not answer: ${error.message}`);
    });
    // Valkey says that it is Redis 7, and beside that what it is.
    const version = /redis_version:(\d+)/.exec(info)?.[1];
    if (Number(version) < 7) throw new Error(`TEST_REDIS_URL must lead to Redis 7 or newer, or Valkey; there is Redis ${version}.`);
  }

  static async reach(): Promise<GivenRedis> {
    const given = givenUrl();
    const redis = new GivenRedis(given, await TcpProxy.to(given.hostname, Number(given.port || 6_379)));
    await redis.up();
    return redis;
  }

  get port(): number {
    return this.proxy.port;
  }

  /** How its URL begins, up to its host. */
  get entrance(): string {
    const { username, password } = this.given;
    return password === '' ? 'redis://' : `redis://${username}:${password}@`;
  }

  async up(): Promise<void> {
    await overOwnConnection(this.given, (client) => client.flushall());
    this.proxy.up();
  }

  down(): Promise<void> {
    this.proxy.down();
    return Promise.resolve();
  }

  freeze(): void {
    this.proxy.freeze();
  }

  thaw(): void {
    this.proxy.thaw();
  }

  stop(): Promise<void> {
    return this.proxy.close();
  }
}

function givenUrl(): URL {
  const url = new URL(process.env.TEST_REDIS_URL!);
  if (url.protocol !== 'redis:')
    throw new Error('TEST_REDIS_URL must begin with redis://, since the tests stand between it and the servers.');
  return url;
}

async function overOwnConnection<T>({ href }: URL, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(href, { lazyConnect: true, connectTimeout: 5_000, retryStrategy: null });
  let why: Error | undefined;
  client.on('error', (error) => (why = error));
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw why ?? error;
  } finally {
    client.disconnect();
  }
}
