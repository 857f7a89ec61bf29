import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type AuthApp, foreignToken, startAuthApp } from '../support/auth-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const PASSWORD = 'correct horse battery';
let database: TestDatabase;
let limited: AuthApp;
let unlimited: AuthApp;

beforeAll(async () => {
  database = await createTestDatabase();
  limited = await startAuthApp(database.url, { TRUSTED_PROXIES: 'loopback' });
  unlimited = await startAuthApp(database.url, { LIMITS: 'off' });
});

afterAll(async () => {
  await Promise.all([limited.close(), unlimited.close()]);
  await database.drop();
});

const newName = () => `u${randomUUID().slice(0, 8)}`;

async function register(): Promise<string> {
  const username = newName();
  await unlimited.http.post('/v1/auth/register').send({ username, password: PASSWORD }).expect(201);
  return username;
}

const guess = (app: AuthApp, username: string, password = 'wrong password', address = '127.0.0.1') =>
  app.http.post('/v1/auth/login').set('x-forwarded-for', address).send({ username, password });
const guessAll = async (app: AuthApp, names: string[], address?: string) =>
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
  });

  it('are off with LIMITS=off', async () => {
    expect(await guessAll(unlimited, Array<string>(15).fill('nobody'))).toEqual(Array(15).fill(401));
  });

  it("hold a user's REST requests to 50 a second with a burst of 500", async () => {
    const token = foreignToken({ sub: 'eager' });
    const ask = () => limited.http.get('/v1/me').auth(token, { type: 'bearer' });
    const statuses: number[] = [];
    while (!statuses.includes(429) && statuses.length < 2_000) {
      statuses.push(...(await Promise.all(Array.from({ length: 50 }, ask))).map(({ status }) => status));
    }
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(500);
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
