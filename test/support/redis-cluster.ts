import { Redis } from 'ioredis';
import { TestRedis } from './test-redis.js';
import { until } from './until.js';

const SLOTS = 16_384;
const PASSWORD = 'a-password-of-the-tests';

/** A Redis Cluster of the test's own: three masters, each a process with a third of the slots, behind a password. */
export class RedisCluster {
  private constructor(readonly nodes: readonly TestRedis[]) {}

  static async start(): Promise<RedisCluster> {
    const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-require-full-coverage', 'no'];
    const secret = ['--requirepass', PASSWORD, '--masterauth', PASSWORD];
    const cluster = new RedisCluster(await Promise.all([0, 1, 2].map(() => TestRedis.startOwn([...options, ...secret]))));
    const share = Math.ceil(SLOTS / cluster.nodes.length);
    for (const [index, node] of cluster.nodes.entries()) {
      await cluster.on(node, async (client) => {
        await client.cluster('ADDSLOTSRANGE', index * share, Math.min((index + 1) * share, SLOTS) - 1);
        for (const other of cluster.nodes) if (other !== node) await client.cluster('MEET', '127.0.0.1', other.port);
      });
    }
    await cluster.whole();
    return cluster;
  }

  /** As REDIS_URL has it. */
  get urls(): string {
    return this.nodes.map(({ port }) => `redis://:${PASSWORD}@127.0.0.1:${port}`).join(',');
  }

  /** Runs some commands on one node, over a connection of its own. */
  async on<T>(node: TestRedis, work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis({ port: node.port, password: PASSWORD });
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  /** Resolves when every node knows of every slot. */
  async whole(): Promise<void> {
    for (const node of this.nodes) {
      await this.on(node, (client) =>
        until(
          async () => {
            const info = String(await client.cluster('INFO'));
            const nodes = String(await client.cluster('NODES'));
            const known = nodes.split('\n').filter((line) => line.includes('connected') && !/fail|handshake/.test(line)).length;
            return info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`) && known === this.nodes.length;
          },
          'the cluster is whole',
          20_000,
        ),
      );
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
