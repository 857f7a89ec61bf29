import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import request from 'supertest';
import { AuditLog } from '../../src/audit/audit-log.js';
import { Sql } from '../../src/database/sql.js';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { type AuthApp, foreignToken, startAuthApp, TEST_SECRET } from '../support/auth-app.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { expectRefusal, forwardedFor } from '../support/limited-acts.js';
import { RawSocket } from '../support/raw-socket.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

const PASSWORD = 'correct horse battery';
let database: TestDatabase;
let server: ChatServer;
let limited: Pick<AuthApp, 'http'>;
let unlimited: AuthApp;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await ChatServer.start({
    DATABASE_URL: database.url,
    JWT_SECRET: TEST_SECRET,
    LIMITS: 'on',
    LIMIT_REQUESTS_PER_ADDRESS: '1/200',
    TRUSTED_PROXIES: 'loopback',
    ALLOWED_ORIGINS: 'https://chat.example.org',
  });
  limited = { http: request(server.test.app.getHttpServer()) };
  unlimited = await startAuthApp(database.url, { LIMITS: 'off' });
});

afterAll(async () => {
  await Promise.all([server.close(), unlimited.close()]);
  await database.drop();
});

const newName = () => `u${randomUUID().slice(0, 8)}`;

async function register(): Promise<string> {
  const username = newName();
  await unlimited.http.post('/v1/auth/register').send({ username, password: PASSWORD }).expect(201);
  return username;
}

const guess = (app: Pick<AuthApp, 'http'>, username: string, password = 'wrong password', address = '127.0.0.1') =>
  app.http.post('/v1/auth/login').set('x-forwarded-for', address).send({ username, password });
const guessAll = async (app: Pick<AuthApp, 'http'>, names: string[], address?: string) =>
  (await Promise.all(names.map((name) => guess(app, name, undefined, address)))).map(({ status }) => status);

describe('limits', () => {
  it('stop guessing at one account, and the right password too until then', async () => {
    const username = await register();
    const statuses = await guessAll(limited, Array<string>(12).fill(username.toUpperCase()));
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    const { body, headers } = await guess(limited, username, PASSWORD).expect(429);
    const seconds = Math.ceil((body as { retryAfterMs: number }).retryAfterMs / 1_000);
    expect(seconds).toBeGreaterThan(0);
    expect(headers).toMatchObject({
      'retry-after': `${seconds}`,
      ratelimit: `"account";r=0;t=${seconds}`,
      'ratelimit-policy': '"account";q=10;w=900',
    });
  });

  // PostgreSQL folds both letters into ASCII ones where its rules are Unicode's, and JavaScript only one of them.
  it.each(['\u0130', '\u212a'])('count no account under a second name that %s makes of it', async (letter) => {
    const username = `${await register()}ik`;
    await unlimited.http.post('/v1/auth/register').send({ username, password: PASSWORD }).expect(201);
    await guess(unlimited, username.toUpperCase(), PASSWORD).expect(200);
    await guess(unlimited, username.replace(letter.toLowerCase()[0]!, letter), PASSWORD).expect(401);
  });

  it('start anew after the right password', async () => {
    const username = await register();
    for (let round = 0; round < 2; round++) {
      expect(await guessAll(limited, Array<string>(9).fill(username))).toEqual(Array(9).fill(401));
      await guess(limited, username, PASSWORD).expect(200);
    }
  });

  it('stop guessing from one address over many accounts, and who logs in to his own in between gains nothing by it', async () => {
    const own = await register();
    const address = '203.0.113.40';
    const statuses = [];
    for (let batch = 0; batch < 4; batch++) {
      statuses.push(...(await guessAll(limited, Array.from({ length: 25 }, newName), address)));
      if (batch < 3) await guess(limited, own, PASSWORD, address).expect(200);
    }
    expect(statuses).toEqual(Array(100).fill(401));
    const { headers } = await guess(limited, newName(), undefined, address).expect(429);
    expect(headers['ratelimit']).toBe(`"logins";r=0;t=${headers['retry-after']}`);
    // The audit log has each, whether it was looked at or not.
    await server.get(AuditLog).flush();
    const text = `SELECT details ->> 'code' AS code, count(*)::int AS rows FROM audit_log
      WHERE action = 'login.password' AND outcome = 'denied' AND address = $1 GROUP BY code ORDER BY code`;
    expect(await server.get(Sql).query({ name: 'refused_logins', text }, [address])).toEqual([
      { code: 'rate_limited', rows: 1 },
      { code: 'unauthenticated', rows: 100 },
    ]);
  });

  it('are off with LIMITS=off', async () => {
    expect(await guessAll(unlimited, Array<string>(15).fill('nobody'))).toEqual(Array(15).fill(401));
  });

  it("hold a user's REST requests to 50 a second with a burst of 500", async () => {
    const token = foreignToken({ sub: 'eager' });
    const ask = () => limited.http.get('/v1/me').auth(token, { type: 'bearer' });
    // His first 450, which may as well have come by sockets.
    const taken = Array.from({ length: 450 }, () => server.get(RateLimits).takeCommand('eager'));
    expect(new Set(taken)).toEqual(new Set([0]));
    const statuses: number[] = [];
    while (!statuses.includes(429) && statuses.length < 2_000) {
      statuses.push(...(await Promise.all(Array.from({ length: 50 }, ask))).map(({ status }) => status));
    }
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(50);
    expect(statuses).toContain(429);
    await limited.http
      .get('/v1/me')
      .auth(foreignToken({ sub: 'patient' }), { type: 'bearer' })
      .expect(200);
  });

  it('count a token that was ended against the address of who shows it, not against its user', async () => {
    const token = foreignToken({ sub: 'robbed' });
    const ask = () => limited.http.get('/v1/me').auth(token, { type: 'bearer' });
    expect((await ask().expect(200)).headers['ratelimit']).toMatch(/^"user";r=499;/);
    await limited.http.post('/v1/auth/revoke').send({ token }).expect(204);
    expect((await ask().expect(401)).headers['ratelimit']).toMatch(/^"address";/);
  });
});

describe('what fails before a guard has seen it', () => {
  const address = () => `203.0.113.${++addresses}`;
  let addresses = 0;
  const limits = () => server.get(RateLimits);
  const useUp = (from: string) => {
    while (limits().takeRequest(from) === 0);
  };
  const FALSE = { authorization: 'Bearer none' };
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, 'x']));

  it.each([
    [404, 'an unknown route', 'GET', '/v1/nope', undefined, {}],
    [404, 'one elsewhere', 'GET', '/nope', undefined, {}],
    [404, 'one with a false token', 'GET', '/v1/nope', undefined, FALSE],
    [404, 'one elsewhere with a body', 'POST', '/nope', '{}', FALSE],
    [401, 'a route in capitals', 'GET', '/V1/me', undefined, {}],
    [400, 'a URL that cannot be read', 'GET', '/v1/rooms/%E0%A4%A', undefined, FALSE],
    [400, 'a body that cannot be read', 'POST', '/v1/auth/login', '{', {}],
    [400, 'one with a false token', 'POST', '/v1/rooms', '{', FALSE],
    [413, 'a body that is too large', 'POST', '/v1/auth/login', JSON.stringify('x'.repeat(300_000)), {}],
    [400, 'more headers than any client sends', 'GET', '/v1/me', undefined, many],
  ])('counts against its address, once, and is then refused: %i, %s', async (status, _what, method, path, body, headers) => {
    const from = address();
    const ask = () => server.http(null, method, path, body, { ...headers, ...forwardedFor(from) });
    const first = await ask();
    expect([first.status, first.headers.get('ratelimit')]).toEqual([status, expect.stringMatching(/^"address";r=199;/)]);
    let answer = first;
    await until(async () => {
      useUp(from);
      return (answer = await ask()).status === 429;
    }, 'it is refused');
    expectRefusal(answer, 'address', 'q=200;w=200');
  });

  it.each([
    ['no token', {}],
    ['a false one', { Authorization: 'Bearer none' }],
  ])('has no body read beyond the limit: with %s', async (_, headers) => {
    const from = address();
    useUp(from);
    // The answer comes, and the body does not.
    const raw = await RawSocket.begin(`${server.test.url}/v1/auth/login`, {
      Connection: 'keep-alive',
      Upgrade: '',
      'Content-Type': 'application/json',
      'Content-Length': '200000',
      'X-Forwarded-For': from,
      ...headers,
    });
    await raw.until(() => raw.head !== '');
    expect(raw.head).toMatch(/^HTTP\/1.1 429 /);
    raw.socket.destroy();
  });

  it('has no large body read of who does not prove himself, as it is or inflated, and says why', async () => {
    const from = address();
    const large = JSON.stringify({ text: 'x'.repeat(20_000) });
    const post = (path: string, headers: object, body: string | Buffer = large) =>
      limited.http
        .post(path)
        .set({ 'content-type': 'application/json', ...headers, ...forwardedFor(from) })
        .serialize((sent: unknown) => sent as string)
        .send(body);
    const good = { authorization: `Bearer ${foreignToken({ sub: 'poster' })}` };
    const old = { authorization: `Bearer ${foreignToken({ exp: 1 })}` };
    const zipped = { 'content-encoding': 'gzip' };
    expect((await post('/v1/auth/login', {}).expect(413)).headers['ratelimit']).toMatch(/^"address";r=199;/);
    await post('/v1/auth/login', zipped, gzipSync(large)).expect(413);
    for (const headers of [FALSE, old]) {
      await post('/v1/rooms', headers).expect(401);
      await post('/v1/rooms', { ...headers, ...zipped }, gzipSync(large)).expect(401);
    }
    // What it is refused for then, it could only be refused for when it was read.
    await post('/v1/rooms', good).expect(400, /text/);
    await post('/v1/rooms', { ...good, ...zipped }, gzipSync(large)).expect(400, /text/);
    const small = gzipSync(JSON.stringify({ username: 'nobody', password: PASSWORD }));
    await post('/v1/auth/login', { ...old, ...zipped }, small).expect(401, /username/);
  });

  it('costs no user anything who has a good token and comes from the same address', async () => {
    const from = address();
    const ask = (user: string, method: string, path: string, body?: string) => {
      const authorization = `Bearer ${foreignToken({ sub: user })}`;
      return server.http(null, method, path, body, { authorization, ...forwardedFor(from) });
    };
    const told = async (answer: Promise<HttpAnswer>) => {
      const { status, headers } = await answer;
      return [status, headers.get('ratelimit')];
    };
    const onceHis = expect.stringMatching(/^"user";r=499;/);
    expect(await told(ask('before', 'GET', '/v1/me'))).toEqual([200, onceHis]);
    expect(limits().requests.standing(from).tokens).toBe(200);
    useUp(from);
    expect(await told(ask('neighbour', 'GET', '/v1/me'))).toEqual([200, onceHis]);
    expect(await told(ask('lodger', 'POST', '/v1/rooms', '{"type":"public"}'))).toEqual([201, onceHis]);
    // What only he can have spoilt is his, while nobody can say it of the address.
    expect(await told(ask('spoiler', 'POST', '/v1/rooms', '{'))).toEqual([400, onceHis]);
    expect(await told(ask('lost', 'GET', '/v1/nope'))).toEqual([404, onceHis]);
  });

  it('is told to pages of the allowed Origins, whose preflights are free', async () => {
    const from = address();
    const origin = { origin: 'https://chat.example.org', ...forwardedFor(from) };
    useUp(from);
    const preflight = { ...origin, 'access-control-request-method': 'POST' };
    expect((await server.http(null, 'OPTIONS', '/v1/auth/login', undefined, preflight)).status).toBe(204);
    expect((await server.http(null, 'GET', '/health/live', undefined, origin)).status).toBe(200);
    const { status, headers } = await server.http(null, 'POST', '/v1/auth/login', '{', origin);
    expect([status, headers.get('access-control-allow-origin')]).toEqual([429, origin.origin]);
  });
});
