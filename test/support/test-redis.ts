import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { GivenRedis } from './given-redis.js';
import { findRedisServer } from './redis-server.js';
import { TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

/** A Redis for one test, on a port that it keeps: it can be killed, started again, stopped in its tracks and emptied. */
export class TestRedis {
  private constructor(private readonly server: OwnRedis | GivenRedis) {}

  /** The one that TEST_REDIS_URL names, else a process of the test's own; empty. */
  static async start(): Promise<TestRedis> {
    return GivenRedis.isThere ? new TestRedis(await GivenRedis.reach()) : TestRedis.startOwn();
  }

  /** A process of the test's own in any case. @param options more of redis-server's own, such as `--cluster-enabled yes` */
  static async startOwn(options: readonly string[] = []): Promise<TestRedis> {
    const own = new OwnRedis(await freePort(), await mkdtemp(join(tmpdir(), 'parley-redis-')), options);
    await own.up();
    return new TestRedis(own);
  }

  get port(): number {
    return this.server.port;
  }

  get url(): string {
    return this.#urlAt(this.port);
  }

  /** Another way to it, which can be cut off. */
  async proxied(): Promise<{ proxy: TcpProxy; url: string }> {
    const proxy = await TcpProxy.to('127.0.0.1', this.port);
    return { proxy, url: this.#urlAt(proxy.port) };
  }

  /** Starts it, with nothing in it. Resolves when it answers. */
  up(): Promise<void> {
    return this.server.up();
  }

  /** Kills it: what it held is gone, and its port refuses. */
  down(): Promise<void> {
    return this.server.down();
  }

  /** Stops it in its tracks: its connections stay, and nobody is answered. */
  freeze(): void {
    this.server.freeze();
  }

  thaw(): void {
    this.server.thaw();
  }

  /** Runs some commands over a connection of its own. */
  async with<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(this.url);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  #urlAt(port: number): string {
    return `${this.server.entrance}127.0.0.1:${port}`;
  }
}

class OwnRedis {
  readonly entrance = 'redis://';
  #child: ChildProcess | undefined;

  constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly options: readonly string[],
  ) {}

  async up(): Promise<void> {
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.folder];
    const child = spawn(findRedisServer(), [...own, ...this.options], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    this.#child = child;
    await until(() => {
      if (child.exitCode !== null) throw new Error(`redis-server ended:\n${output}`);
      return output.includes('Ready to accept connections');
    }, 'Redis is ready');
  }

  async down(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  freeze(): void {
    this.#child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child!.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  // The bus of a Redis Cluster takes the port 10,000 above.
  for (;;) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    if (port < 55_000) return port;
  }
}
