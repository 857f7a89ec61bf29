import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import type { TokenPairBody } from '../../src/auth/auth.dto.js';
import { PasswordHasher } from '../../src/auth/password-hasher.js';
import { Sql } from '../../src/database/sql.js';
import { type AuthApp, foreignToken, startAuthApp } from '../support/auth-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const PASSWORD = 'correct horse battery';
let database: TestDatabase;
let server: AuthApp;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startAuthApp(database.url);
});

afterAll(async () => {
  await server.close();
  await database.drop();
});

const post = (path: string, body: object) => server.http.post(`/v1/auth/${path}`).send(body);
const me = (token: string) => server.http.get('/v1/me').auth(token, { type: 'bearer' });
const newName = () => `u${randomUUID().slice(0, 8)}`;
const rows = <T extends object>(text: string, values: unknown[] = []) =>
  server.app
    .get(Sql)
    .query<T & Record<string, unknown>>({ name: createHash('sha256').update(text).digest('hex').slice(0, 32), text }, values);

async function register(username = newName()): Promise<TokenPairBody> {
  const { body } = await post('register', { username, password: PASSWORD }).expect(201);
  return body as TokenPairBody;
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
}

describe('POST /v1/auth/register', () => {
  it('makes an account and logs in', async () => {
    const { body, headers } = await post('register', { username: 'Ada', password: PASSWORD, name: 'Ada Lovelace' }).expect(201);
    const pair = body as TokenPairBody;
    expect(pair).toEqual({
      accessToken: expect.any(String),
      refreshToken: expect.stringMatching(/^[\w-]{43}$/),
      expiresIn: 900,
      user: { id: expect.any(String), username: 'Ada', name: 'Ada Lovelace', createdAt: expect.any(String) },
    });
    expect(headers['cache-control']).toBe('no-store');
    expect(claimsOf(pair.accessToken)).toEqual({
      sub: pair.user.id,
      iss: 'parley',
      aud: 'parley',
      exp: expect.any(Number),
      iat: expect.any(Number),
      jti: expect.any(String),
      sid: expect.any(String),
      name: 'Ada Lovelace',
      parley: { at: expect.any(Number) },
    });
    await me(pair.accessToken).expect(200, { ...pair.user, status: 'online', roles: [] });
  });

  it('stores the password by argon2id and no token as it is', async () => {
    const pair = await register('stored');
    const [account] = await rows<{ password_hash: string }>(`SELECT * FROM accounts WHERE username = 'stored'`);
    expect(account!.password_hash).toMatch(/^\$argon2id\$/);
    const digest = createHash('sha256').update(pair.refreshToken).digest();
    const kept = await rows('SELECT * FROM refresh_tokens WHERE hash = $1', [digest]);
    expect(kept.map((row) => Object.keys(row).sort())).toEqual([['expires_at', 'hash', 'session_id', 'used_at']]);
  });

  it('refuses a username that is taken, in any case', async () => {
    await register('Grace');
    const { body } = await post('register', { username: 'gRACE', password: PASSWORD }).expect(409);
    expect(body).toEqual({ code: 'conflict', message: 'The username is taken.', requestId: expect.any(String) });
  });

  it('gives a username to one of two who ask at once', async () => {
    const username = newName();
    const answers = await Promise.all([1, 2, 3].map(() => post('register', { username, password: PASSWORD })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409]);
  });

  it.each([
    ['no body', undefined, 'username'],
    ['short username', { username: 'ab', password: PASSWORD }, 'username'],
    ['long username', { username: 'a'.repeat(33), password: PASSWORD }, 'username'],
    ['space in the username', { username: 'a da', password: PASSWORD }, 'username'],
    ['a username like a bot’s id', { username: 'bot:ada', password: PASSWORD }, 'username'],
    ['other letters', { username: 'аda', password: PASSWORD }, 'username'],
    ['username of an object', { username: { $gt: '' }, password: PASSWORD }, 'username'],
    ['short password', { username: 'valid', password: 'short' }, 'password'],
    ['password of a number', { username: 'valid', password: 12345678 }, 'password'],
    ['password of an array', { username: 'valid', password: [PASSWORD] }, 'password'],
    ['U+0000 in the password', { username: 'valid', password: 'password\u0000x' }, 'password'],
    ['lone surrogate in the name', { username: 'valid', password: PASSWORD, name: '\ud800' }, 'name'],
    ['unknown field', { username: 'valid', password: PASSWORD, roles: ['admin'] }, 'roles'],
  ])('refuses %s', async (_, body, path) => {
    const { body: answer } = await server.http.post('/v1/auth/register').send(body).expect(400);
    expect(answer).toMatchObject({ code: 'validation_failed', requestId: expect.any(String) });
    expect((answer as { details: { path: string }[] }).details.map((detail) => detail.path)).toContain(path);
  });
});

describe('the body of a request', () => {
  const raw = (body: string, type = 'application/json') => server.http.post('/v1/auth/login').set('Content-Type', type).send(body);

  it('that is not JSON is refused in words that do not repeat it', async () => {
    const { body, text } = await raw('{"password": "hunter2').expect(400);
    expect(body).toMatchObject({ code: 'validation_failed' });
    expect(text).not.toContain('hunter2');
  });

  it('that is too large is 413', async () => {
    const { body } = await raw(JSON.stringify({ username: 'a', password: 'x'.repeat(200_000) })).expect(413);
    expect(body).toMatchObject({ code: 'payload_too_large' });
  });

  it('that nests 10,000 deep is refused', async () => {
    await raw(`{"username":${'['.repeat(10_000)}${']'.repeat(10_000)},"password":"x"}`).expect(400);
  });

  it.each([
    '[]',
    '"text"',
    'null',
    '7',
    '{"username":"a","password":"b","__proto__":{"isAdmin":true}}',
    '{"constructor":{"prototype":{"x":1}}}',
  ])('of %s is refused, and changes no prototype', async (body) => {
    await raw(body).expect(400);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it('of another type is refused', async () => {
    await raw('username=a&password=b', 'text/plain').expect(400);
  });
});

describe('POST /v1/auth/login', () => {
  it('logs in, whatever the case of the username', async () => {
    const pair = await register('Lovelace');
    const { body } = await post('login', { username: 'LOVELACE', password: PASSWORD }).expect(200);
    expect((body as TokenPairBody).user).toEqual(pair.user);
    expect((body as TokenPairBody).refreshToken).not.toBe(pair.refreshToken);
  });

  it('does not tell an unknown user from a wrong password', async () => {
    await register('known');
    const wrong = await post('login', { username: 'known', password: 'wrong password' }).expect(401);
    const unknown = await post('login', { username: 'unknown', password: 'wrong password' }).expect(401);
    expect({ ...(unknown.body as object), requestId: '' }).toEqual({ ...(wrong.body as object), requestId: '' });
    expect(Object.keys(unknown.headers).sort()).toEqual(Object.keys(wrong.headers).sort());
  });

  it('hashes as much for an unknown user as for a known one', async () => {
    const verify = jest.spyOn(server.app.get(PasswordHasher), 'verify');
    await post('login', { username: 'unknown', password: 'wrong password' }).expect(401);
    expect(verify.mock.calls).toEqual([[null, 'wrong password']]);
    verify.mockRestore();
  });

  it.each(["known' OR '1'='1", 'known"; DROP TABLE accounts; --', '%', '_____'])('finds nobody by %s', async (username) => {
    await post('login', { username, password: PASSWORD }).expect(401);
    expect(await rows('SELECT 1 FROM accounts LIMIT 1')).toHaveLength(1);
  });
});

describe('POST /v1/auth/refresh', () => {
  it('gives a new pair of the same login', async () => {
    const first = await register();
    const { body } = await post('refresh', { refreshToken: first.refreshToken }).expect(200);
    const second = body as TokenPairBody;
    expect(second.user).toEqual(first.user);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(claimsOf(second.accessToken)['sid']).toBe(claimsOf(first.accessToken)['sid']);
    await post('refresh', { refreshToken: second.refreshToken }).expect(200);
  });

  it('ends the whole login when a token comes a second time', async () => {
    const first = await register();
    const other = (await post('login', { username: first.user.username!, password: PASSWORD })).body as TokenPairBody;
    const second = (await post('refresh', { refreshToken: first.refreshToken })).body as TokenPairBody;
    await post('refresh', { refreshToken: first.refreshToken }).expect(401);
    await post('refresh', { refreshToken: second.refreshToken }).expect(401);
    await me(second.accessToken).expect(401);
    await me(first.accessToken).expect(401);
    const session = claimsOf(first.accessToken)['sid'];
    expect(server.acts.filter((act) => act.kind === 'session.revoked' && act.session === session)).toHaveLength(1);
    // Another login of the same user lives on.
    await me(other.accessToken).expect(200);
  });

  it('gives one pair for a token that comes many times at once', async () => {
    const { refreshToken } = await register();
    const answers = await Promise.all(Array.from({ length: 8 }, () => post('refresh', { refreshToken })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array<number>(7).fill(401)]);
    const [{ count }] = (await rows<{ count: string }>(
      `SELECT count(*) FROM refresh_tokens t JOIN refresh_tokens o USING (session_id) WHERE o.hash = sha256($1::bytea)`,
      [Buffer.from(refreshToken)],
    )) as [{ count: string }];
    expect(count).toBe('2');
  });

  it('refuses an access token, an expired token, and one that never was', async () => {
    const pair = await register();
    await post('refresh', { refreshToken: pair.accessToken }).expect(401);
    await post('refresh', { refreshToken: foreignToken() }).expect(401);
    await post('refresh', { refreshToken: `' OR true --` }).expect(401);
    await rows(`UPDATE refresh_tokens SET expires_at = clock_timestamp() - interval '1 second' WHERE hash = sha256($1::bytea)`, [
      Buffer.from(pair.refreshToken),
    ]);
    await post('refresh', { refreshToken: pair.refreshToken }).expect(401);
  });

  it('is no access token', async () => {
    const pair = await register();
    await me(pair.refreshToken).expect(401);
  });

  it('clears away what expired long ago, and nothing else', async () => {
    const [gone, kept] = [await register(), await register()];
    const used = (await post('refresh', { refreshToken: kept.refreshToken })).body as TokenPairBody;
    await rows(
      `UPDATE refresh_tokens SET expires_at = clock_timestamp() - interval '2 days' WHERE hash IN (sha256($1::bytea), sha256($2::bytea))`,
      [Buffer.from(gone.refreshToken), Buffer.from(kept.refreshToken)],
    );
    const fresh = await startAuthApp(database.url);
    await fresh.http.post('/v1/auth/refresh').send({ refreshToken: used.refreshToken }).expect(200);
    const left = () => rows(`SELECT 1 FROM refresh_tokens WHERE expires_at < clock_timestamp() - interval '1 day'`);
    while ((await left()).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await fresh.close();
    const sessions = await rows<{ user_id: string }>('SELECT user_id FROM auth_sessions WHERE user_id = ANY ($1)', [
      [gone.user.id, kept.user.id],
    ]);
    expect(sessions.map((session) => session.user_id)).toEqual([kept.user.id]);
  });
});

describe('POST /v1/auth/logout', () => {
  it('ends the login, its access tokens too', async () => {
    const pair = await register();
    await post('logout', { refreshToken: pair.refreshToken }).expect(204);
    await post('refresh', { refreshToken: pair.refreshToken }).expect(401);
    const { body } = await me(pair.accessToken).expect(401);
    expect(body).toMatchObject({ code: 'unauthenticated' });
  });

  it('says again that the login has ended when it is asked again, since the first answer may have been lost on the way', async () => {
    const pair = await register();
    const before = server.acts.length;
    for (let attempt = 0; attempt < 2; attempt++) await post('logout', { refreshToken: pair.refreshToken }).expect(204);
    expect(server.acts.slice(before)).toEqual(
      [0, 1].map(() => ({ kind: 'session.revoked', session: expect.any(String), user: pair.user.id })),
    );
  });

  it('changes nothing for a token that never was', async () => {
    await post('logout', { refreshToken: 'never' }).expect(204);
  });

  it('is known to a server that starts afterwards', async () => {
    const pair = await register();
    await post('logout', { refreshToken: pair.refreshToken }).expect(204);
    const later = await startAuthApp(database.url);
    await later.http.get('/v1/me').auth(pair.accessToken, { type: 'bearer' }).expect(401);
    await later.close();
  });
});
