import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

/** Two instances on one database and one Redis. A window of commands is 100 s, so that no test outlasts one. */
const SETTINGS = {
  LIMITS: 'on',
  LIMIT_COMMANDS: '1/100',
  LIMIT_JOINS: '1/100',
  LIMIT_HANDSHAKES: '1/200',
  LIMIT_SENDS_PER_ROOM: '1/100',
  CONNECTIONS_PER_USER: '4',
  TRUSTED_PROXIES: 'loopback',
};
const BURST = 100;
const CHUNK = 10;
/** What one instance may give in a window. */
const WINDOW = 200;

let database: TestDatabase;
let redis: TestRedis;
let servers: ChatServer[];

beforeAll(async () => {
  database = await createTestDatabase();
  redis = await TestRedis.start();
  const start = () => ChatServer.start({ ...SETTINGS, DATABASE_URL: database.url, REDIS_URL: redis.url });
  servers = [await start(), await start(), await start()];
});

afterAll(async () => {
  for (const server of servers) await server.close();
  await redis.stop();
  await database.drop();
});

const keysOf = (part: string) => redis.with((client) => client.keys(`*${part}*`));

describe('line 33: rate limits over all instances', () => {
  it('together give a user no more than one may in a window, but for what they have not told each other', async () => {
    let taken = 0;
    // Each alone would give 100; what they have told is waited for after each share.
    for (let share = 0; share < BURST / CHUNK; share++) {
      for (const server of servers) {
        const before = await redis.with((client) => client.get('parley:limit:commands:greedy'));
        let here = 0;
        while (here < CHUNK && server.get(RateLimits).takeCommand('greedy') === 0) here++;
        taken += here;
        if (here < CHUNK) continue;
        const told = async () => (await redis.with((client) => client.get('parley:limit:commands:greedy'))) !== before;
        await until(told, 'Redis was told');
      }
    }
    expect(taken).toBeGreaterThanOrEqual(WINDOW);
    expect(taken).toBeLessThanOrEqual(WINDOW + servers.length * CHUNK);
    // A socket and a request are told when to come back, by an instance that still had something for him.
    const blocked = () => servers.some((server) => server.get(RateLimits).takeCommand('greedy') > 1_000 * 2);
    await until(blocked, 'he is blocked until the window ends');
    const answers = await Promise.all(servers.map((server) => server.http('greedy', 'GET', '/v1/me')));
    for (const { status, body, headers } of answers.filter((answer) => answer.status === 429)) {
      expect([status, body.code]).toEqual([429, 'rate_limited']);
      expect(headers.get('ratelimit')).toMatch(/^"user";r=0;t=\d+$/);
      expect(Number(headers.get('retry-after'))).toBe(Math.ceil(body.retryAfterMs / 1000));
    }
    expect(answers.map(({ status }) => status)).toContain(429);
  });

  it('ask Redis nothing for a user who takes little', async () => {
    const client = await servers[0]!.connect('calm');
    for (let i = 0; i < CHUNK - 2; i++) await client.command('ping');
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
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await guess(servers[i % 2]!)).status);
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
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
    expect(left).toBeGreaterThanOrEqual(100);
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
    expect([status, body.code, headers['retry-after']]).toEqual([429, 'rate_limited', '5']);
    expect((await one.http('many', 'GET', '/v1/me')).status).toBe(429);
    for (const client of open) await client.close();
    await until(async () => (await keysOf('connections:many')).length === 0, 'nothing is counted any more');
    await (await two.connect('many')).close();
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
    await guess(servers[1]!, '203.0.113.7', 'somebody else');
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

  it('costs a login 100 ms once, and the memory of the instance limits instead', async () => {
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
