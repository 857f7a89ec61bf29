import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { LoginLimits } from '../../src/auth/login-limits.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import type { ChatError } from '../../src/errors/chat-error.js';
import { OpenConnections } from '../../src/limits/open-connections.js';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { RedisBreaker } from '../../src/limits/redis-breaker.js';
import { RedisConnections } from '../../src/redis/redis-connections.js';
import { RedisCluster } from '../support/redis-cluster.js';
import type { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

/** A busy machine may take longer to answer than the server waits. */
const PATIENCE_MS = 5_000;

/** What an instance limits by. */
class Instance {
  readonly redis: RedisConnections;
  readonly breaker = new RedisBreaker();
  readonly rates: RateLimits;
  readonly logins: LoginLimits;
  readonly open: OpenConnections;

  constructor(urls: string) {
    const settings = loadSettings({ REDIS_URL: urls, REDIS_CLUSTER: 'true', LIMIT_COMMANDS: '1/100', CONNECTIONS_PER_USER: '10' });
    const config = new Config(settings, { databaseUrl: '', jwtSecrets: [''] });
    this.redis = new RedisConnections(config);
    this.rates = new RateLimits(config, this.redis, this.breaker);
    this.logins = new LoginLimits(config, this.redis, this.breaker);
    this.open = new OpenConnections(config, this.redis, this.breaker);
  }
}

describe('limits on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let instances: Instance[];
  beforeAll(async () => {
    Logger.overrideLogger(false);
    cluster = await RedisCluster.start();
    instances = [0, 1, 2].map(() => new Instance(cluster.urls));
    await until(() => instances.every(({ redis }) => redis.commands.status === 'ready'), 'all are connected');
    for (const { redis } of instances) for (const node of (redis.commands as Cluster).nodes()) node.options.commandTimeout = PATIENCE_MS;
  });
  afterAll(async () => {
    for (const { redis } of instances) redis.onApplicationShutdown();
    await cluster.stop();
  });

  /** How many keys of this kind each node has. */
  const spread = (kind: string) =>
    Promise.all(cluster.nodes.map((node) => cluster.on(node, async (client) => (await client.keys(`parley:${kind}:*`)).length)));
  const total = async (kind: string) => (await spread(kind)).reduce((sum, keys) => sum + keys);
  /** What each attempt, one after the other on the next instance, was refused with. */
  async function attempts(count: number, attempt: (instance: Instance) => Promise<void>): Promise<(string | null)[]> {
    const codes: (string | null)[] = [];
    for (let i = 0; i < count; i++) {
      const failed = attempt(instances[i % instances.length]!).then(
        () => null,
        (error: ChatError) => error.code,
      );
      codes.push(await failed);
    }
    return codes;
  }
  const passed = (count: number) => Array<null>(count).fill(null);

  it('count many keys at once, on all nodes', async () => {
    // A brace is part of some names: what a user is called decides where he is counted, and nothing else.
    const users = Array.from({ length: 60 }, (_, i) => (i % 2 ? `user ${i}` : `us{er ${i}}`));
    for (const { rates } of instances) for (const user of users) for (let i = 0; i < 10; i++) rates.takeCommand(user);
    await until(async () => (await total('limit:commands')) === users.length, 'all were told of');
    expect(Math.min(...(await spread('limit:commands')))).toBeGreaterThan(0);
    expect(instances.every(({ breaker }) => breaker.isClosed)).toBe(true);
  });

  it('hold a user to one burst over all instances, and to one rate from then on', async () => {
    const told = () => instances[0]!.redis.commands.get('parley:limit:commands:greedy');
    const began = performance.now();
    let given = 0;
    for (let share = 0; share < 10; share++) {
      for (const { rates } of instances) {
        let here = 0;
        for (let i = 0; i < 10; i++) if (rates.takeCommand('greedy') === 0) here++;
        given += here;
        if (here === 10) await until(async () => Number(await told()) === given, 'Redis was told');
      }
    }
    // Three buckets would have given 300.
    expect(given).toBeGreaterThanOrEqual(100);
    expect(given).toBeLessThanOrEqual(100 + 60 + (performance.now() - began) / 1_000);
    for (const { rates } of instances) await until(() => rates.takeCommand('greedy') > 0, 'its bucket is empty');
  });

  it('hold logins and open sockets over instances', async () => {
    const logins = await attempts(12, ({ logins }) => logins.attemptLogin('victim', '203.0.113.7'));
    expect(logins).toEqual([...passed(10), 'rate_limited', 'rate_limited']);
    const sockets = await attempts(12, ({ open }) => open.claim('many'));
    expect(sockets).toEqual([...passed(10), 'rate_limited', 'rate_limited']);
    instances[0]!.open.release('many');
    await until(
      () =>
        instances[1]!.open.claim('many').then(
          () => true,
          () => false,
        ),
      'who closes one may open another',
    );
  });

  it('go on from memory when a node is lost, and on Redis when it is back', async () => {
    const [lost] = cluster.nodes as [TestRedis];
    await lost.down();
    const names = Array.from({ length: 20 }, (_, i) => `name ${i}`);
    for (const name of names) {
      const refusals = (await attempts(45, ({ logins }) => logins.attemptLogin(name, name))).filter((code) => code !== null);
      // Each instance alone lets ten pass, and so does Redis, when its node is there.
      expect(refusals.length).toBeGreaterThanOrEqual(5);
      expect(new Set(refusals)).toEqual(new Set(['rate_limited']));
    }
    await lost.up();
    await cluster.whole();
    let tries = 0;
    const counted = async () => {
      await attempts(3, ({ logins }) => logins.attemptLogin(`late ${++tries}`, `late ${tries}`));
      return (await cluster.on(lost, (client) => client.keys('parley:limit:account:late*'))).length > 0;
    };
    await until(counted, 'the node counts again', 20_000);
  });
});
