import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Pair {
  accessToken: string;
  refreshToken: string;
}

let database: TestDatabase;
let here: ChatServer;
/** Another instance, which only PostgreSQL joins with the first. */
let there: ChatServer;
let account: { username: string; password: string };

beforeAll(async () => {
  database = await createTestDatabase();
  here = await ChatServer.start({ DATABASE_URL: database.url });
  there = await ChatServer.start({ DATABASE_URL: database.url });
});

afterAll(async () => {
  await Promise.all([here.close(), there.close()]);
  await database.drop();
});

beforeEach(async () => {
  account = { username: `u${randomUUID().slice(0, 8)}`, password: 'correct horse battery' };
  await here.http(null, 'POST', '/v1/auth/register', account);
});

const login = async () => (await here.http(null, 'POST', '/v1/auth/login', account)).body as Pair;
const call = (token: string, method: string, path: string, server = here): Promise<HttpAnswer> =>
  server.http(null, method, path, undefined, { authorization: `Bearer ${token}` });
const list = async (token: string) =>
  (await call(token, 'GET', '/v1/me/sessions')).body as { items: Record<string, unknown>[]; nextCursor: null };
const status = async (token: string, server = here) => (await call(token, 'GET', '/v1/me', server)).status;

describe('GET /v1/me/sessions', () => {
  it('lists the logins that live, the newest first, and says which one asks', async () => {
    const [one, two] = [await login(), await login()];
    const { items } = await list(one.accessToken);
    expect(items.map(({ current }) => current)).toEqual([false, true, false]);
    expect(items[0]).toEqual({
      id: expect.any(String),
      createdAt: expect.any(String),
      lastUsedAt: items[0]!['createdAt'],
      expiresAt: expect.any(String),
      current: false,
    });
    await here.http(null, 'POST', '/v1/auth/refresh', { refreshToken: two.refreshToken });
    const [used] = (await list(one.accessToken)).items;
    expect(used!['id']).toBe(items[0]!['id']);
    expect(Date.parse(used!['lastUsedAt'] as string)).toBeGreaterThan(Date.parse(used!['createdAt'] as string));
  });

  it('is empty for a user who has no login here', async () => {
    expect(await list(here.test.token('foreigner'))).toEqual({ items: [], nextCursor: null });
  });
});

describe('DELETE /v1/me/sessions/:session', () => {
  it('ends that login on every instance, and no other', async () => {
    const [stays, goes] = [await login(), await login()];
    const socket = await ChatClient.connect(there.wsUrl, { token: goes.accessToken });
    const other = await ChatClient.connect(there.wsUrl, { token: stays.accessToken });
    const [newest] = (await list(stays.accessToken)).items;
    const path = `/v1/me/sessions/${newest!['id'] as string}`;
    expect((await call(here.test.token('stranger'), 'DELETE', path)).status).toBe(404);
    expect(await status(goes.accessToken)).toBe(200);
    for (const attempt of [1, 2]) expect([attempt, (await call(stays.accessToken, 'DELETE', path)).status]).toEqual([attempt, 204]);
    expect((await socket.closed).code).toBe(4101);
    expect([await status(goes.accessToken), await status(goes.accessToken, there), await status(stays.accessToken, there)]).toEqual([
      401, 401, 200,
    ]);
    expect((await here.http(null, 'POST', '/v1/auth/refresh', { refreshToken: goes.refreshToken })).status).toBe(401);
    expect((await list(stays.accessToken)).items.map(({ id }) => id)).not.toContain(newest!['id']);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    await other.close();
  });
});

describe('POST /v1/auth/revoke', () => {
  const revoke = (token: string) => here.http(null, 'POST', '/v1/auth/revoke', { token });

  it('ends one token, on every instance, and not the login', async () => {
    const { accessToken, refreshToken } = await login();
    const socket = await ChatClient.connect(there.wsUrl, { token: accessToken });
    for (const attempt of [1, 2]) expect([attempt, (await revoke(accessToken)).status]).toEqual([attempt, 204]);
    expect((await socket.closed).code).toBe(4101);
    expect([await status(accessToken), await status(accessToken, there)]).toEqual([401, 401]);
    expect((await refusedUpgrade(there.wsUrl, { token: accessToken })).status).toBe(401);
    const next = (await here.http(null, 'POST', '/v1/auth/refresh', { refreshToken })).body as Pair;
    expect(await status(next.accessToken)).toBe(200);
  });

  it('says nothing of a token that does not count, and refuses what it cannot end', async () => {
    for (const token of ['nonsense', here.signed({ exp: 1 }), here.signed({}, {}, 'x'.repeat(40))])
      expect((await revoke(token)).status).toBe(204);
    const nameless = here.signed({ jti: undefined });
    expect((await revoke(nameless)).status).toBe(409);
    expect(await status(nameless)).toBe(200);
    expect((await revoke('pk_anything')).status).toBe(400);
  });
});
