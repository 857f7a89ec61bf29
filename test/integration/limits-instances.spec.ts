import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { OpenConnections } from '../../src/limits/open-connections.js';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { RedisBreaker } from '../../src/limits/redis-breaker.js';
import { SharedWindows } from '../../src/limits/shared-windows.js';
import { RedisConnections } from '../../src/redis/redis-connections.js';
import { refusedUpgrade } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { BURST, expectRefusal, forwardedFor, handshake, LIMITED, SMALL_LIMITS, waitOf } from '../support/limited-acts.js';
import { testConfig } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

/**
 * Three instances on one database and one Redis: of two, each with its own bucket, one could not tell whether they share a window. A window
 * is 50 s at the least, so that no test outlasts one.
 */
const SETTINGS = { ...SMALL_LIMITS, CONNECTIONS_PER_USER: '4', TRUSTED_PROXIES: 'loopback' };

let database: TestDatabase;
let redis: TestRedis;
let servers: ChatServer[];

beforeAll(async () => {
  database = await createTestDatabase();
  redis = await TestRedis.start();
  const start = () => ChatServer.start({ ...SETTINGS, DATABASE_URL: database.url, REDIS_URL: redis.url });
  servers = [await start(), await start(), await start()];
  // A busy machine may take longer to answer than a server waits.
  waitForRedis(5_000);
});

afterAll(async () => {
  for (const server of servers) await server.close();
  await redis.stop();
  await database.drop();
});

function waitForRedis(ms: number): void {
  for (const server of servers) (server.get(RedisConnections).commands as Redis).options.commandTimeout = ms;
}

const keysOf = (part: string) => redis.with((client) => client.keys(`*${part}*`));
const countOf = (key: string) => redis.with((client) => client.get(`parley:limit:${key}`));

describe('line 33: rate limits over all instances', () => {
  it.each(LIMITED)('together give $of one burst and one rate, but for what they have not told each other', async (limited) => {
    const { burst } = limited;
    const { key, acts, clients } = await limited.start(servers);
    const chunk = burst / 10;
    const began = performance.now();
    let given = 0;
    // Each alone would give its burst; what they have told is waited for after each share.
    for (let share = 0; share < burst / chunk; share++) {
      for (const act of acts) {
        const before = await countOf(key);
        const waits = await Promise.all(Array.from({ length: chunk }, act));
        const here = waits.filter((wait) => wait === 0).length;
        given += here;
        if (here === chunk) await until(async () => (await countOf(key)) !== before, 'Redis was told');
      }
    }
    expect(given).toBeGreaterThanOrEqual(burst);
    expect(given).toBeLessThanOrEqual(burst + 2 * servers.length * chunk + (performance.now() - began) / 1_000);
    for (const act of acts) await until(async () => (await act()) > 0, 'its bucket is empty');
    for (const client of clients) await client.close();
  });

  it('tell a user who is over it so by REST, with when to come back', async () => {
    const refusedAt = async (ask: () => Promise<HttpAnswer>): Promise<HttpAnswer> => {
      let answer: HttpAnswer | undefined;
      await until(async () => (answer = await ask()).status === 429, 'it is refused', 30_000);
      return answer!;
    };
    for (const server of servers) {
      expectRefusal(await refusedAt(() => server.http('greedy', 'GET', '/v1/me')), 'user', 'q=100;w=100');
    }
    const [one] = servers as [ChatServer];
    const limits = one.get(RateLimits);
    const room = await one.room('patient', 'public');
    // Of his own limit each has plenty left: what counts is the limit that refused.
    const send = () => {
      while (limits.takeSend(room) === 0);
      return one.http('patient', 'POST', `/v1/rooms/${room}/messages`, { text: 'x' }, { 'idempotency-key': randomUUID() });
    };
    const join = () => {
      while (limits.takeJoin('newcomer') === 0);
      return one.http('newcomer', 'POST', `/v1/rooms/${room}/join`);
    };
    expectRefusal(await refusedAt(send), 'room', 'q=50;w=50');
    expectRefusal(await refusedAt(join), 'joins', 'q=50;w=50');
  });

  it('stop a storm of handshakes from one address, and let another in meanwhile', async () => {
    const [one] = servers as [ChatServer];
    const began = performance.now();
    const storm = Array.from({ length: 300 }, () => handshake(one, '203.0.113.3'));
    const visitor = await one.connect('visitor', { headers: forwardedFor('203.0.113.4') });
    await visitor.command('ping');
    const admitted = (await Promise.all(storm)).filter((wait) => wait === 0).length;
    expect(admitted).toBeGreaterThanOrEqual(BURST);
    expect(admitted).toBeLessThanOrEqual(BURST + Math.ceil((performance.now() - began) / 1_000));
    await visitor.close();
  });

  it('ask Redis nothing for a user who takes little', async () => {
    const client = await servers[0]!.connect('calm');
    for (let i = 0; i < 8; i++) await client.command('ping');
    await client.close();
    expect(await keysOf('calm')).toEqual([]);
  });

  it('tell of what is left, in every answer of REST', async () => {
    const { headers, status } = await servers[1]!.http('reader', 'GET', '/v1/me');
    expect([status, headers.get('ratelimit-policy'), headers.get('ratelimit')]).toEqual([200, '"user";q=100;w=100', '"user";r=99;t=1']);
    expect((await servers[1]!.http(null, 'GET', '/health/live')).headers.get('ratelimit')).toBeNull();
  });

  it('hold logins at one account over instances', async () => {
    const guess = (server: ChatServer) => server.http(null, 'POST', '/v1/auth/login', { username: 'victim', password: 'wrong password' });
    const answers: HttpAnswer[] = [];
    for (let i = 0; i < 12; i++) answers.push(await guess(servers[i % 2]!));
    expect(answers.map(({ status }) => status)).toEqual([...Array<number>(10).fill(401), 429, 429]);
    for (const answer of answers.slice(10)) expectRefusal(answer, 'account', 'q=10;w=900');
  });

  it('hold a room, and tell a stranger of it no more than of no room', async () => {
    const [one] = servers as [ChatServer];
    const room = await one.room('host', 'private');
    const client = await one.connect('host');
    while (one.get(RateLimits).takeSend(room) === 0);
    const refused = client.command('message.send', { room, clientId: 'a', text: 'x' });
    await expect(refused).rejects.toMatchObject({ code: 'rate_limited', data: { retryable: true, retryAfterMs: expect.any(Number) } });
    const stranger = await one.connect('stranger');
    await expect(stranger.command('message.send', { room, clientId: 'a', text: 'x' })).rejects.toMatchObject({ code: 'not_found' });
    expect((await one.http('host', 'GET', `/v1/rooms/${room}/messages`)).body.messages).toEqual([]);
    await Promise.all([client.close(), stranger.close()]);
  });

  it('do not let strangers use up what a room has', async () => {
    const [one] = servers as [ChatServer];
    const room = await one.room('host', 'private');
    const stranger = await one.connect('outsider');
    for (let i = 0; i < 5; i++) {
      await expect(stranger.command('message.send', { room, clientId: `${i}`, text: 'x' })).rejects.toMatchObject({ code: 'not_found' });
    }
    let left = 0;
    while (one.get(RateLimits).takeSend(room) === 0) left++;
    expect(left).toBeGreaterThanOrEqual(BURST);
    await stranger.close();
  });
});

describe('line 3: caps', () => {
  it('count the open sockets of a user on all instances, and forget those that closed', async () => {
    const [one, two] = servers as [ChatServer, ChatServer];
    const attempts = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => servers[i % 2]!.connect('many')));
    const open = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(open).toHaveLength(4);
    const { status, body, headers } = await refusedUpgrade(two.wsUrl, { token: two.test.token('many') });
    expect([status, body.code, headers['retry-after'], headers['ratelimit']]).toEqual([429, 'rate_limited', '5', '"connections";r=0;t=5']);
    expectRefusal(await one.http('many', 'GET', '/v1/me'), 'connections', 'q=4');
    for (const client of open) await client.close();
    await until(async () => (await keysOf('connections:many')).length === 0, 'nothing is counted any more');
    await (await two.connect('many')).close();
  });

  it.each([
    [10, 10],
    [20, 22],
  ])('of %i open sockets a user let him have %i over three instances at the most', async (cap, most) => {
    const config = testConfig(database.url, { REDIS_URL: redis.url, CONNECTIONS_PER_USER: String(cap) });
    const instances = servers.map((server) => new OpenConnections(config, server.get(RedisConnections), server.get(RedisBreaker)));
    const isOpened = (instance: OpenConnections) =>
      instance.claim(`capped${cap}`).then(
        () => true,
        () => false,
      );
    let open = 0;
    // So few on each of two that the others are not told, and all that can be had on the third; then once more everywhere.
    for (const instance of instances) if (await isOpened(instance)) open++;
    while (await isOpened(instances[2]!)) open++;
    for (const instance of instances) while (await isOpened(instance)) open++;
    expect(open).toBe(most);
  });

  it('of an instance that lives are held for as long as they are open', async () => {
    const config = testConfig(database.url, { REDIS_URL: redis.url, CONNECTIONS_PER_USER: '4' });
    const [here, there] = servers.map((server) => new OpenConnections(config, server.get(RedisConnections), server.get(RedisBreaker)));
    jest.useFakeTimers({ doNotFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'] });
    try {
      here!.onModuleInit();
      for (let open = 0; open < 4; open++) await here!.claim('lasting');
      const leaseMs = await redis.with((client) => client.pttl('parley:connections:lasting'));
      expect(leaseMs).toBeGreaterThan(0);
      // As when the lease has ended.
      await redis.with((client) => client.del('parley:connections:lasting'));
      jest.advanceTimersByTime(leaseMs);
      await until(async () => (await keysOf('connections:lasting')).length === 1, 'it is told anew');
      await expect(there!.claim('lasting')).rejects.toMatchObject({ code: 'rate_limited' });
    } finally {
      here!.onApplicationShutdown();
      jest.useRealTimers();
    }
  });

  it('of a crashed instance end with its lease', async () => {
    await redis.with((client) => client.hset('parley:connections:orphan', { dead: `4:${Date.now() - 1}` }));
    await (await servers[0]!.connect('orphan')).close();
    await redis.with((client) => client.hset('parley:connections:held', { alive: `4:${Date.now() + 30_000}` }));
    expect((await refusedUpgrade(servers[0]!.wsUrl, { token: servers[0]!.test.token('held') })).status).toBe(429);
  });
});

describe('line 4: X-Forwarded-For', () => {
  it('of a trusted proxy names the client, over instances; what the client wrote itself does not count', async () => {
    const guess = (server: ChatServer, forwarded: string, username: string) =>
      server.http(null, 'POST', '/v1/auth/login', { username, password: 'wrong password' }, { 'x-forwarded-for': forwarded });
    await guess(servers[0]!, '198.51.100.1, 203.0.113.7', 'somebody');
    await guess(servers[1]!, '203.0.113.7:40112', 'somebody else');
    await guess(servers[1]!, 'nonsense', 'a third');
    const addresses = (await keysOf('limit:address:')).map((key) => key.replace('parley:limit:address:', ''));
    expect(addresses).toContain('203.0.113.7');
    expect(addresses).not.toContain('198.51.100.1');
    expect(addresses).not.toContain('nonsense');
    expect(await redis.with((client) => client.get('parley:limit:address:203.0.113.7'))).toBe('2');
  });
});

describe('a Redis that hangs', () => {
  afterAll(() => redis.thaw());

  it('makes no send wait: it is acked while Redis still owes the answer', async () => {
    const [one] = servers as [ChatServer];
    const room = await one.room('host', 'private');
    const client = await one.connect('host');
    const owed = watchReports();
    redis.freeze();
    for (let i = 0; i < BURST / 10; i++) await client.command('message.send', { room, clientId: `${i}`, text: 'x' });
    expect(owed).toContain(room);
    redis.thaw();
    await until(() => owed.size === 0, 'it is answered');
    jest.restoreAllMocks();
    await client.close();
  });

  it('costs a login 100 ms once, and the memory of the instance limits instead', async () => {
    waitForRedis(100);
    redis.freeze();
    const [one] = servers as [ChatServer];
    const guess = () => one.http(null, 'POST', '/v1/auth/login', { username: 'target', password: 'wrong password' });
    const statuses: number[] = [];
    while (!statuses.includes(429) && statuses.length < 40) statuses.push((await guess()).status);
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(10);
    expect(statuses.at(-1)).toBe(429);
    const sockets = await Promise.allSettled(Array.from({ length: 6 }, () => one.connect('cut off')));
    expect(sockets.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    for (const socket of sockets) if (socket.status === 'fulfilled') await socket.value.terminate();
  });
});

describe('a Redis that is lost in the middle', () => {
  let guessed = 0;
  /** Each from another address. */
  const guess = (server: ChatServer, username: string) => {
    const address = `198.51.${guessed >> 8}.${guessed++ & 255}`;
    return server.http(null, 'POST', '/v1/auth/login', { username, password: 'wrong password' }, forwardedFor(address));
  };
  const guesses = async (on: ChatServer[], username: string, count: number) => {
    const statuses: number[] = [];
    for (let i = 0; i < count; i++) statuses.push((await guess(on[i % on.length]!, username)).status);
    return statuses;
  };
  const REFUSED_AFTER_TEN = [...Array<number>(10).fill(401), 429];

  it('is stood in for by the memory of each instance, and counts for all again when it is back', async () => {
    const [one, two] = servers as [ChatServer, ChatServer];
    const room = await one.room('host', 'public');
    const client = await one.connect('lonely');
    await until(() => one.get(RedisBreaker).isClosed && two.get(RedisBreaker).isClosed, 'both ask Redis');
    expect(await guesses([one, two], 'tenant', 4)).toEqual([401, 401, 401, 401]);
    expect(await countOf('account:tenant')).toBe('4');

    await redis.down();
    for (const server of [one, two]) expect(await guesses([server], 'tenant', 11)).toEqual(REFUSED_AFTER_TEN);
    let done = 0;
    while ((await waitOf(client.command('room.join', { room }))) === 0) done++;
    expect(done).toBeGreaterThanOrEqual(BURST);

    await redis.up();
    let tries = 0;
    for (const server of [one, two]) {
      const isCounted = async () => {
        await guess(server, `newcomer${++tries}`);
        return (await countOf(`account:newcomer${tries}`)) !== null;
      };
      await until(isCounted, 'it counts in Redis again');
    }
    expect(await guesses([one, two], 'neighbour', 11)).toEqual(REFUSED_AFTER_TEN);
    await until(async () => {
      two.get(RateLimits).takeCommand('regular');
      return (await countOf('commands:regular')) !== null;
    }, 'what is decided in memory is told again');
    await client.close();
  });
});

/** @returns the keys that Redis was told of by anybody, and has not answered for */
function watchReports(): Set<string> {
  const owed = new Set<string>();
  const real = SharedWindows.prototype.report;
  jest.spyOn(SharedWindows.prototype, 'report').mockImplementation(function (this: SharedWindows, key, points) {
    owed.add(key);
    return real.call(this, key, points).finally(() => owed.delete(key));
  });
  return owed;
}
