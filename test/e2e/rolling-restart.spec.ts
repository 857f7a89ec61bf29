import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { BuiltServer } from '../support/built-server.js';
import type { Frame } from '../support/chat-client.js';
import { RoamingUser } from '../support/roaming-user.js';
import { Random, seedsOf } from '../support/seeded.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

const INSTANCES = 3;
const USERS = 12;
const DRAIN_MS = 1_500;
const JWT_SECRET = 'a-secret-of-the-tests-0123456789-abcdefghij';

describe('a rolling restart of three instances under load', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let ports: number[];
  let servers: BuiltServer[];
  beforeAll(async () => {
    [redis, database, ports] = await Promise.all([TestRedis.start(), createTestDatabase(), freePorts(INSTANCES)]);
    servers = ports.map(start);
    await Promise.all(servers.map((server) => server.ready()));
  }, 60_000);
  afterAll(async () => {
    for (const server of servers) {
      server.child.kill('SIGKILL');
      await server.exited;
    }
    await database.drop();
    await redis.stop();
  });

  function start(port: number): BuiltServer {
    const settings = { DATABASE_URL: database.url, DATABASE_POOL: '6', REDIS_URL: redis.url, JWT_SECRET, LIMITS: 'off', LOG_LEVEL: 'warn' };
    return BuiltServer.start({ settings: { ...settings, PORT: String(port), DRAIN_MS: String(DRAIN_MS) } });
  }

  async function http(user: string, method: string, path: string, body?: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${tokenOf(user)}`, 'content-type': 'application/json' };
    const answer = await fetch(`http://127.0.0.1:${ports[0]}/v1${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    expect(answer.ok).toBe(true);
    return answer.json();
  }

  /** The whole log of a room. */
  async function logOf(room: string, user: string): Promise<Frame[]> {
    const log: Frame[] = [];
    for (;;) {
      const page = (await http(user, 'GET', `/rooms/${room}/events?after=${log.length}&limit=500`)) as { events: Frame[]; headSeq: number };
      log.push(...page.events);
      if (log.length >= page.headSeq || page.events.length === 0) return log;
    }
  }

  it.each(seedsOf(1))(
    'loses nothing, doubles nothing and keeps the order (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      const names = Array.from({ length: USERS }, (_, index) => `u${index}`);
      const { id: room } = (await http('u0', 'POST', '/rooms', { type: 'private', members: names.slice(1) })) as { id: string };
      const instances = ports.map((port) => `ws://127.0.0.1:${port}/ws`);
      const users = names.map(
        (name) => new RoamingUser({ name, token: tokenOf(name), instances, room, random: new Random(random.below(2 ** 31)) }),
      );
      await until(() => users.every(({ lastSeq }) => lastSeq >= 0), 'all follow the room');
      const from = users.map(({ lastSeq }) => lastSeq);

      let isOver = false;
      const talks = users.map((user) => user.talk(() => isOver));
      for (const index of random.shuffled([0, 1, 2])) {
        const ackedBefore = users.reduce((sum, { acked }) => sum + acked.size, 0);
        const stoppedAt = Date.now();
        expect(await servers[index]!.stop('SIGTERM')).toEqual({ code: 0, signal: null });
        expect(Date.now() - stoppedAt).toBeLessThan(DRAIN_MS + 3_000);
        servers[index] = start(ports[index]!);
        await servers[index].ready();
        expect(users.reduce((sum, { acked }) => sum + acked.size, 0)).toBeGreaterThan(ackedBefore);
      }
      isOver = true;
      await Promise.all(talks);

      const log = await logOf(room, 'u0');
      await until(() => users.every(({ lastSeq }) => lastSeq === log.length), 'all have seen the whole log');
      for (const user of users) await user.leave();

      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
      const sent = log
        .filter(({ event }) => event === 'message.created')
        .map(({ seq, data }) => [(data as Message).clientId, seq] as const);
      const acked = users.flatMap((user) => [...user.acked]);
      expect(acked.length).toBeGreaterThan(USERS * 20);
      // Each acked message is there, once, at the seq of its ack; and nothing else is.
      expect(sent.sort(byClientId)).toEqual(acked.sort(byClientId));
      for (const [index, user] of users.entries()) {
        expect(user.faults).toEqual([]);
        expect(user.seen).toEqual(Array.from({ length: log.length - from[index]! }, (_, step) => from[index]! + step + 1));
      }
      expect(users.reduce((sum, { moves }) => sum + moves, 0)).toBeGreaterThanOrEqual(USERS);
    },
    90_000,
  );
});

interface Message {
  clientId: string;
}

function byClientId([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

function tokenOf(user: string): string {
  return new JwtService().sign({}, { secret: JWT_SECRET, subject: user, issuer: 'parley', audience: 'parley', expiresIn: '1h' });
}

async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(probes.map((probe) => once(probe, 'listening')));
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port);
  await Promise.all(probes.map((probe) => once(probe.close(), 'close')));
  return ports;
}
