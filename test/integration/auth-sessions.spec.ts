import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { AccessControl } from '../../src/auth/access-control.service.js';
import { END_SESSIONS, REVOKE_USER, SET_ROLES } from '../../src/auth/revocation-statements.js';
import { OPEN_SESSION } from '../../src/auth/session-statements.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

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

/** Before or after is decided by the user's row: what is under way meanwhile waits for it, however long that takes. */
describe('a login under way', () => {
  let other: pg.Client;
  let user: string;
  beforeEach(async () => {
    other = new pg.Client({ connectionString: database.url });
    await other.connect();
    ({ id: user } = (await call((await login()).accessToken, 'GET', '/v1/me')).body as { id: string });
    await here.get(AccessControl).setRoles(user, ['staff']);
    await other.query('BEGIN');
  });
  afterEach(() => other.end());

  const somebodyWaits = () =>
    until(async () => {
      const { rowCount } = await other.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND backend_type = 'client backend'`,
      );
      return rowCount === 1;
    }, 'somebody waits for the row');
  const rolesOf = async (token: string) => ((await call(token, 'GET', '/v1/me', there)).body as { roles: string[] }).roles;

  it.each(['login', 'refresh'])('by %s while roles are taken ends without them', async (way) => {
    const { refreshToken } = await login();
    await other.query(SET_ROLES.text, [user, []]);
    const pair = here.http(null, 'POST', `/v1/auth/${way}`, way === 'login' ? account : { refreshToken });
    await somebodyWaits();
    await other.query('COMMIT');
    expect(await rolesOf(((await pair).body as Pair).accessToken)).toEqual([]);
  });

  it('that read the roles first is void with them', async () => {
    const { accessToken } = await login();
    expect(await rolesOf(accessToken)).toEqual(['staff']);
    const { rows } = await other.query<{ roles: string[]; signed_at: number }>(OPEN_SESSION.text, [
      randomUUID(),
      user,
      randomBytes(32),
      60,
    ]);
    expect(rows[0]!.roles).toEqual(['staff']);
    const taken = here.get(AccessControl).setRoles(user, []);
    await somebodyWaits();
    const { rows: late } = await other.query<{ signed_at: number }>(OPEN_SESSION.text, [randomUUID(), user, randomBytes(32), 60]);
    await other.query('COMMIT');
    await taken;
    const token = (parley: object) => here.signed({ sub: user, roles: ['staff'], parley });
    for (const { signed_at: at } of [...rows, ...late]) expect(await status(token({ at }))).toBe(401);
  });

  it('ends with the others when its user is signed out meanwhile', async () => {
    const session = randomUUID();
    const secret = 'the-refresh-token-of-a-login-under-way';
    await other.query(OPEN_SESSION.text, [session, user, createHash('sha256').update(secret).digest(), 60]);
    const signedOut = here.get(AccessControl).revokeUser(user);
    await somebodyWaits();
    await other.query('COMMIT');
    await signedOut;
    expect((await here.http(null, 'POST', '/v1/auth/refresh', { refreshToken: secret })).status).toBe(401);
  });

  it('by refresh while its user is signed out is refused', async () => {
    const { refreshToken } = await login();
    await other.query(REVOKE_USER.text, [user]);
    const answer = here.http(null, 'POST', '/v1/auth/refresh', { refreshToken });
    await somebodyWaits();
    await other.query(END_SESSIONS.text, [user]);
    await other.query('COMMIT');
    expect((await answer).status).toBe(401);
  });
});

describe('a sign-out', () => {
  const mint = async (user: string) => {
    const by = { authorization: `Bearer ${here.test.token('root', { roles: ['admin'] })}` };
    return ((await here.http(null, 'POST', '/v1/admin/tokens', { user }, by)).body as Pair).accessToken;
  };

  it('voids what was made before it, and nothing that this server makes after it, within one second too', async () => {
    const first = await login();
    const { id } = (await call(first.accessToken, 'GET', '/v1/me')).body as { id: string };
    let made = [first.accessToken, await mint(id)];
    for (let round = 0; round < 8; round++) {
      expect(await Promise.all(made.map((token) => status(token)))).toEqual([200, 200]);
      await here.get(AccessControl).revokeUser(id);
      expect(await Promise.all(made.map((token) => status(token)))).toEqual([401, 401]);
      made = [(await login()).accessToken, await mint(id)];
    }
  });

  it('reaches tokens whose signer’s clock is ahead, and their sockets; those from farther in the future never counted', async () => {
    const user = `u-${randomUUID()}`;
    const iat = Math.floor(Date.now() / 1000) + 3;
    const ahead = here.signed({ sub: user, iat });
    const socket = await ChatClient.connect(here.wsUrl, { token: ahead });
    await here.get(AccessControl).revokeUser(user);
    expect((await socket.closed).code).toBe(4101);
    expect(await status(ahead)).toBe(401);
    const undated = await here.http(null, 'GET', '/v1/me', undefined, {
      authorization: `Bearer ${here.signed({ sub: user, iat: undefined })}`,
    });
    expect(undated.body).toMatchObject({
      code: 'unauthenticated',
      message: 'The access token has been revoked: once its user was signed out, only tokens with an iat count.',
    });
    expect(await status(here.signed({ sub: user, iat: iat + 3_600, exp: iat + 7_200 }))).toBe(401);
    expect(await status(await mint(user))).toBe(200);
  });
});
