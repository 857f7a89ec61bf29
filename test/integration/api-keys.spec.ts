import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { ALL_SCOPES } from '../../src/auth/scopes.js';
import { Sql } from '../../src/database/sql.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

interface MadeKey {
  id: string;
  key: string;
  botUser: string;
}

let database: TestDatabase;
let here: ChatServer;
/** Another instance, which only PostgreSQL joins with the first. */
let there: ChatServer;
let rows: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  here = await ChatServer.start({ DATABASE_URL: database.url, GUESTS: 'on' });
  there = await ChatServer.start({ DATABASE_URL: database.url });
  rows = new pg.Client({ connectionString: database.url });
  await rows.connect();
});

afterAll(async () => {
  await rows.end();
  await Promise.all([here.close(), there.close()]);
  await database.drop();
});

const bearer = (token: string, headers: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...headers });
const admin = () => here.test.token('root', { roles: ['admin'] });
const call = (
  token: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  server = here,
): Promise<HttpAnswer> => server.http(null, method, path, body, bearer(token, headers));

async function make(scopes: readonly string[], draft: object = {}, by = admin()): Promise<MadeKey> {
  const { status, body } = await call(by, 'POST', '/v1/admin/api-keys', { name: 'Backend', scopes, ...draft });
  expect([status, body]).toEqual([201, expect.anything()]);
  return body as MadeKey;
}

const stored = async (id: string) => (await rows.query<Record<string, unknown>>('SELECT * FROM api_keys WHERE id = $1', [id])).rows[0]!;

describe('an API key', () => {
  it('is shown once, and stored as a hash', async () => {
    const { status, headers, body } = await call(admin(), 'POST', '/v1/admin/api-keys', {
      name: 'Deploy',
      scopes: ['keys:read', 'users:act'],
    });
    expect([status, headers.get('cache-control')]).toEqual([201, 'no-store']);
    const { key, ...view } = body as MadeKey;
    expect(view).toEqual({
      id: expect.any(String),
      name: 'Deploy',
      scopes: ['keys:read', 'users:act'],
      botUser: `bot:${view.id}`,
      createdBy: 'root',
      createdAt: expect.any(String),
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
    });
    expect(key).toMatch(new RegExp(`^pk_${view.id}_[\\w-]{43}$`));
    const secret = key.slice(-43);
    const dump = JSON.stringify((await rows.query(`SELECT k::text FROM api_keys k`)).rows);
    expect(dump).not.toContain(secret);
    const list = await call(admin(), 'GET', '/v1/admin/api-keys');
    expect(list.body.items).toContainEqual(view);
    expect(list.text).not.toContain(secret);
  });

  it('is made once by an Idempotency-Key: again, and all at once, the conflict names it and shows no secret', async () => {
    const create = (by: string, draft: object = {}) =>
      call(by, 'POST', '/v1/admin/api-keys', { name: 'Once', scopes: ['keys:read'], ...draft }, { 'idempotency-key': 'deploy-1' });
    const answers = await Promise.all([1, 2, 3].map(() => create(admin())));
    const made = answers.filter(({ status }) => status === 201);
    expect([made.length, answers.map(({ status }) => status).sort()]).toEqual([1, [201, 409, 409]]);
    const { id, key } = made[0]!.body as MadeKey;
    const again = await create(admin(), { name: 'Otherwise' });
    expect([again.status, again.body.message]).toEqual([
      409,
      `This Idempotency-Key has made the API key ${id}, whose secret nobody can be shown again: revoke it, and make another.`,
    ]);
    expect(answers.map(({ text }) => text.includes(key)).filter(Boolean)).toHaveLength(1);
    // Another's key of the same name is another.
    expect((await create(here.test.token('other', { roles: ['admin'] }))).status).toBe(201);
  });

  it('is listed in pages, the newest first', async () => {
    const made = [await make(['keys:read']), await make(['keys:read']), await make(['keys:read'])].map(({ id }) => id).reverse();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { body } = await call(admin(), 'GET', `/v1/admin/api-keys?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
      const page = body as { items: { id: string }[]; nextCursor: string | null };
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen.slice(0, 3)).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
    const foreign = (await here.http('root', 'GET', '/v1/rooms?limit=1')).body as { nextCursor: string | null };
    expect(foreign.nextCursor).toBeNull();
    expect((await call(admin(), 'GET', '/v1/admin/api-keys?cursor=WyJ4Il0')).status).toBe(400);
  });

  it('may do what its scopes say, and nothing else of administrators', async () => {
    const { key } = await make(['notices:write']);
    const notice = { text: 'hi', level: 'info' };
    expect((await call(key, 'POST', '/v1/admin/notices', notice)).status).toBe(202);
    for (const [method, path, body] of [
      ['PUT', '/v1/admin/users/u7/ban', undefined],
      ['GET', '/v1/admin/api-keys', undefined],
      ['POST', '/v1/admin/tokens', { user: 'u7' }],
      ['POST', '/v1/admin/api-keys', { name: 'More', scopes: ['notices:write'] }],
    ] as const)
      expect([path, (await call(key, method, path, body)).status]).toEqual([path, 403]);
  });

  it('administers as itself: Parley-User is refused there, and nothing is done in the name of him whom it names', async () => {
    const { id, key } = await make(['users:act', 'users:write', 'keys:write']);
    for (const [method, path, body] of [
      ['PUT', '/v1/admin/users/u7/ban', {}],
      ['POST', '/v1/admin/api-keys', { name: 'More', scopes: ['keys:write'] }],
    ] as const) {
      const refused = await call(key, method, path, body, { 'parley-user': 'ceo' });
      expect([path, refused.status, refused.body.message]).toEqual([
        path,
        403,
        'An API key administers as itself: leave the header Parley-User out.',
      ]);
      expect((await call(key, method, path, body)).status).toBeLessThan(300);
    }
    expect((await call(admin(), 'GET', '/v1/admin/bans?user=u7')).body.items).toMatchObject([{ by: `bot:${id}` }]);
    await call(admin(), 'DELETE', '/v1/admin/users/u7/ban');
    const denied = async () =>
      (
        await rows.query(`SELECT action FROM audit_log WHERE outcome = 'denied' AND actor_kind = 'key' AND actor_id = $1 ORDER BY seq`, [
          id,
        ])
      ).rows;
    await until(async () => (await denied()).length === 2, 'both refusals are in the audit log');
    expect(await denied()).toEqual([{ action: 'user.ban' }, { action: 'key.create' }]);
  });

  it('cannot make a key with scopes that it lacks', async () => {
    const { key, botUser } = await make(['keys:write', 'notices:write']);
    const refused = await call(key, 'POST', '/v1/admin/api-keys', { name: 'More', scopes: ['notices:write', 'users:write'] });
    expect([refused.status, refused.body.message]).toEqual([403, 'Nobody can give what he does not have: users:write.']);
    const less = await call(key, 'POST', '/v1/admin/api-keys', { name: 'Less', scopes: ['notices:write'] });
    expect([less.status, less.body.createdBy]).toEqual([201, botUser]);
  });

  it('makes none that outlives it, by whatever way', async () => {
    const parent = await make(ALL_SCOPES, { expiresInSeconds: 3_600 });
    const ends = (await stored(parent.id))['expires_at'];
    const child = await make(['keys:write'], {}, parent.key);
    const grandchild = await make(['keys:write'], { expiresInSeconds: 86_400 }, child.key);
    const minted = await call(parent.key, 'POST', '/v1/admin/tokens', { user: 'boss', roles: ['admin'] });
    const stepchild = await make(['keys:write'], {}, minted.body.accessToken as string);
    const brief = await make(['keys:write'], { expiresInSeconds: 60 }, child.key);
    for (const { id } of [child, grandchild, stepchild]) expect((await stored(id))['expires_at']).toEqual(ends);
    expect((await stored(brief.id))['expires_at']).not.toEqual(ends);
    const independent = await make(['keys:write']);

    const dry = await call(admin(), 'DELETE', `/v1/admin/api-keys/${parent.id}?dryRun=true`);
    expect(dry.body).toEqual({ dryRun: true, count: 5 });
    expect((await call(admin(), 'DELETE', `/v1/admin/api-keys/${parent.id}`)).status).toBe(204);
    for (const { id, key } of [parent, child, grandchild, stepchild, brief]) {
      expect([id, (await call(key, 'GET', '/v1/me')).status]).toEqual([id, 401]);
      expect((await stored(id))['revoked_at']).not.toBeNull();
    }
    expect((await call(independent.key, 'GET', '/v1/me')).status).toBe(200);
  });

  it('leaves none behind that it is making while it is revoked', async () => {
    const { id, key } = await make(['keys:write']);
    const children = await Promise.all([
      ...Array.from({ length: 6 }, () => call(key, 'POST', '/v1/admin/api-keys', { name: 'Late', scopes: ['keys:write'] })),
      call(admin(), 'DELETE', `/v1/admin/api-keys/${id}`, undefined, {}, there),
    ]);
    expect(children.filter(({ status }) => status !== 201 && status !== 401 && status !== 204)).toEqual([]);
    const { rowCount } = await rows.query(`SELECT 1 FROM api_keys WHERE name = 'Late' AND revoked_at IS NULL`);
    expect(rowCount).toBe(0);
  });

  it('is refused when it is another by one character, unknown, or no key at all', async () => {
    const { id, key } = await make(['keys:read']);
    const other = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
    const bad = [
      other,
      key.slice(0, -1),
      `${key}A`,
      key.replace(id, randomUUID()),
      key.toUpperCase(),
      `pk_${id}_`,
      'pk_',
      `pk_' OR true --_${key.slice(-43)}`,
      `pk___proto___${key.slice(-43)}`,
    ];
    for (const text of bad) expect([text, (await call(text.replaceAll(' ', ''), 'GET', '/v1/me')).status]).toEqual([text, 401]);
    expect((await call(key, 'GET', '/v1/me')).status).toBe(200);
  });

  it('expires', async () => {
    const { id, key } = await make(['keys:read'], { expiresInSeconds: 60 });
    const { expires_at, created_at } = await stored(id);
    const lifeMs = (expires_at as Date).getTime() - (created_at as Date).getTime();
    expect(Math.abs(lifeMs - 60_000)).toBeLessThan(100);
    await rows.query(`UPDATE api_keys SET expires_at = clock_timestamp() - interval '1 second' WHERE id = $1`, [id]);
    const { status, body } = await call(key, 'GET', '/v1/me');
    expect([status, body.code, body.message]).toEqual([401, 'unauthenticated', 'The API key has expired.']);
    expect((await refusedUpgrade(here.wsUrl, { token: key })).status).toBe(401);
  });

  it('costs no query once it is known, and its last use is stored once a minute', async () => {
    const { id, key } = await make(['keys:read']);
    expect((await call(key, 'GET', '/v1/me/sessions')).status).toBe(200);
    await until(async () => (await stored(id))['last_used_at'] !== null, 'its use is stored');
    const first = (await stored(id))['last_used_at'];
    const statements: string[] = [];
    const sql = here.get(Sql);
    const query = sql.query.bind(sql);
    sql.query = (statement, values) => {
      statements.push(String(statement.name));
      return query(statement, values);
    };
    try {
      for (let i = 0; i < 20; i++) await call(key, 'GET', '/v1/me/sessions');
    } finally {
      sql.query = query;
    }
    const ofTheServer = ['poll_changes', 'report_instance'];
    expect(new Set(statements.filter((name) => !ofTheServer.includes(name)))).toEqual(new Set(['list_sessions']));
    // Another instance has not stored it yet, and asks in vain.
    expect((await call(key, 'GET', '/v1/me', undefined, {}, there)).status).toBe(200);
    expect((await stored(id))['last_used_at']).toEqual(first);
  });
});

describe('a revoked key', () => {
  it('is refused on every instance, and the sockets that it has opened close, whoever’s they are', async () => {
    const { id, key, botUser } = await make(['users:act']);
    const bot = await ChatClient.connect(there.wsUrl, { token: key });
    const acting = await ChatClient.connect(there.wsUrl, { token: key, headers: { 'parley-user': 'carol' } });
    const carol = await there.connect('carol');
    expect([bot, acting].map(({ frames }) => frames[0]!.data.userId as string)).toEqual([botUser, 'carol']);
    expect((await call(key, 'GET', '/v1/me', undefined, {}, there)).status).toBe(200);
    for (const attempt of [1, 2])
      expect([attempt, (await call(admin(), 'DELETE', `/v1/admin/api-keys/${id}`)).status]).toEqual([attempt, 204]);
    expect((await call(key, 'GET', '/v1/me')).status).toBe(401);
    expect((await bot.closed).code).toBe(4101);
    expect((await acting.closed).code).toBe(4101);
    expect((await call(key, 'GET', '/v1/me', undefined, {}, there)).status).toBe(401);
    expect((await refusedUpgrade(there.wsUrl, { token: key })).status).toBe(401);
    expect(carol.socket.readyState).toBe(carol.socket.OPEN);
    await carol.close();
    const later = await ChatServer.start({ DATABASE_URL: database.url });
    expect((await call(key, 'GET', '/v1/me', undefined, {}, later)).status).toBe(401);
    await later.close();
  });
});

describe('a key whose bot is', () => {
  it.each([
    ['banned', 'ban', {}, ['DELETE', 'ban', undefined]],
    ['disabled', 'disabled', { disabled: true }, ['PUT', 'disabled', { disabled: false }]],
  ] as const)('%s acts for nobody, and what it got is void, on every instance, until that is lifted', async (_, path, body, lift) => {
    const { key, botUser } = await make(['users:act', 'tokens:write', 'keys:write']);
    const acting = { 'parley-user': 'walter' };
    expect((await call(key, 'GET', '/v1/me')).status).toBe(200);
    const { key: grandchild } = await make(['tokens:write'], {}, (await make(['tokens:write', 'keys:write'], {}, key)).key);
    const byGrandchild = (await call(grandchild, 'POST', '/v1/admin/tokens', { user: 'willy' })).body.accessToken as string;
    const minted = (await call(key, 'POST', '/v1/admin/tokens', { user: 'wilma' })).body.accessToken as string;
    const ticket = async (token: string, headers = {}) =>
      `${there.wsUrl}?ticket=${(await call(token, 'POST', '/v1/auth/tickets', undefined, headers)).body.ticket as string}`;
    const unused = await ticket(minted);
    const sockets = await Promise.all([
      ChatClient.connect(there.wsUrl, { token: key, headers: acting }),
      ChatClient.connect(there.wsUrl, { token: minted }),
      ChatClient.connect(await ticket(key, acting)),
      ...[grandchild, byGrandchild].map((token) => ChatClient.connect(there.wsUrl, { token })),
      ChatClient.connect(await ticket(grandchild)),
    ]);
    const own = await there.connect('walter');
    const statuses = async (server: ChatServer) =>
      Promise.all([
        call(key, 'GET', '/v1/me', undefined, acting, server).then(({ status }) => status),
        ...[minted, grandchild, byGrandchild].map(async (token) => (await call(token, 'GET', '/v1/me', undefined, {}, server)).status),
      ]);
    const bot = `/v1/admin/users/${encodeURIComponent(botUser)}`;
    expect((await call(admin(), 'PUT', `${bot}/${path}`, body)).status).toBeLessThan(300);
    expect(await Promise.all(sockets.map(async ({ closed }) => (await closed).code))).toEqual([4203, 4101, 4101, 4101, 4101, 4101]);
    for (const server of [here, there]) expect(await statuses(server)).toEqual([403, 401, 401, 401]);
    expect((await refusedUpgrade(unused)).status).toBe(401);
    expect(own.socket.readyState).toBe(own.socket.OPEN);
    await own.close();
    const [method, lifted, order] = lift;
    expect((await call(admin(), method, `${bot}/${lifted}`, order)).status).toBeLessThan(300);
    await until(async () => (await statuses(there)).every((status) => status === 200), 'it acts again');
  });
});

describe('an administrator who is dismissed', () => {
  const mint = async (by: string, user: string, roles: string[] = [], server = here) =>
    (await call(by, 'POST', '/v1/admin/tokens', { user, roles, expiresInSeconds: 86_400 }, {}, server)).body.accessToken as string;
  const status = async (token: string, server = there) => (await call(token, 'GET', '/v1/me', undefined, {}, server)).status;
  const user = (id: string) => call(admin(), 'GET', `/v1/admin/users/${id}`).then(({ body }) => body as { apiKeyCount: number });

  it('has keys that are listed and counted as his, and revoked together, on every instance', async () => {
    const his = here.test.token('leaver', { roles: ['admin'] });
    const first = await make(ALL_SCOPES, { name: 'First' }, his);
    const child = await make(['keys:write'], { name: 'Child' }, first.key);
    const puppets = await make(
      ['keys:write'],
      { name: 'Puppet’s' },
      await mint(await mint(his, 'puppet', ['admin']), 'second puppet', ['admin']),
    );
    await call(admin(), 'DELETE', `/v1/admin/api-keys/${(await make(['keys:read'], { name: 'Ended' }, his)).id}`);
    const others = await make(['keys:read'], { name: 'Other’s' });

    const list = async (createdBy: string, query = '') =>
      (await call(admin(), 'GET', `/v1/admin/api-keys?createdBy=${encodeURIComponent(createdBy)}${query}`)).body as {
        items: { name: string }[];
        nextCursor: string | null;
      };
    expect((await list('leaver')).items.map(({ name }) => name)).toEqual(['Ended', 'Puppet’s', 'First']);
    expect((await list(first.botUser)).items.map(({ name }) => name)).toEqual(['Child']);
    expect((await list('second puppet')).items.map(({ name }) => name)).toEqual(['Puppet’s']);
    const { nextCursor } = await list('leaver', '&limit=1');
    expect((await list('leaver', `&limit=5&cursor=${nextCursor}`)).items.map(({ name }) => name)).toEqual(['Puppet’s', 'First']);
    expect((await call(admin(), 'GET', `/v1/admin/api-keys?createdBy=other&cursor=${nextCursor}`)).status).toBe(400);

    const disabled = await call(admin(), 'PUT', '/v1/admin/users/leaver/disabled', { disabled: true });
    expect([disabled.status, disabled.body.apiKeyCount]).toEqual([200, 3]);
    const keys = '/v1/admin/users/leaver/api-keys';
    expect((await call(admin(), 'DELETE', `${keys}?dryRun=true`)).body).toEqual({ dryRun: true, count: 3 });
    expect(await status(first.key)).toBe(200);
    const { key: lesser } = await make(['users:write']);
    expect((await call(lesser, 'DELETE', keys)).status).toBe(403);
    const bot = await ChatClient.connect(there.wsUrl, { token: child.key });
    for (const attempt of [1, 2]) expect([attempt, (await call(admin(), 'DELETE', keys)).status]).toEqual([attempt, 204]);
    expect((await bot.closed).code).toBe(4101);
    for (const { key } of [first, child, puppets]) for (const server of [here, there]) expect(await status(key, server)).toBe(401);
    expect([await status(others.key), (await user('leaver')).apiKeyCount, (await user('root')).apiKeyCount > 0]).toEqual([200, 0, true]);
    expect((await call(admin(), 'DELETE', '/v1/admin/users/nobody/api-keys?dryRun=true')).body).toEqual({ dryRun: true, count: 0 });
  });

  it.each([
    ['disabled', 'PUT', 'disabled', { disabled: true }],
    ['banned', 'PUT', 'ban', {}],
    ['signed out', 'DELETE', 'sessions', undefined],
  ])('takes along what he had signed for others when he is %s, however many hands it went through', async (how, method, path, body) => {
    const him = `giver-${path}`;
    const his = here.test.token(him, { roles: ['admin'] });
    const boss = await mint(his, 'accomplice', ['admin']);
    const tokens = [boss, await mint(boss, 'jack'), await mint(await mint(boss, 'other accomplice', ['admin'], there), 'jill')];
    const { body: issued } = await call(tokens[1]!, 'POST', '/v1/auth/tickets');
    const { body: unused } = await call(tokens[1]!, 'POST', '/v1/auth/tickets');
    const sockets = await Promise.all([
      ChatClient.connect(there.wsUrl, { token: tokens[2]! }),
      ChatClient.connect(`${there.wsUrl}?ticket=${(issued as { ticket: string }).ticket}`),
    ]);
    const own = await there.connect('jack');
    for (const token of tokens) expect(await status(token)).toBe(200);
    await call(admin(), method, `/v1/admin/users/${him}/${path}`, body);
    expect(await Promise.all(sockets.map(async ({ closed }) => (await closed).code))).toEqual([4101, 4101]);
    for (const server of [here, there]) for (const token of tokens) expect([how, await status(token, server)]).toEqual([how, 401]);
    expect((await refusedUpgrade(`${there.wsUrl}?ticket=${(unused as { ticket: string }).ticket}`)).status).toBe(401);
    expect(own.socket.readyState).toBe(own.socket.OPEN);
    await own.close();
  });

  it('cannot have tokens signed through more hands than a token tells of', async () => {
    let token = admin();
    for (let hands = 0; hands < 8; hands++) token = await mint(token, `hand-${hands}`, ['admin']);
    const { status: refused, body } = await call(token, 'POST', '/v1/admin/tokens', { user: 'one more' });
    expect([refused, body.message]).toEqual([403, 'The token goes through too many hands: log in, and ask by that.']);
  });

  it.each([
    ['disabled', 'PUT', 'disabled', { disabled: true }],
    ['signed out', 'DELETE', 'sessions', undefined],
  ])('makes no key by a request that was let in just before he was %s', async (_, method, path, body) => {
    const him = `late-${path}`;
    const his = here.test.token(him, { roles: ['admin'] });
    await call(his, 'GET', '/v1/me');
    // As if somebody else's key were being revoked.
    await rows.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('parley api keys'))`);
    const making = call(his, 'POST', '/v1/admin/api-keys', { name: him, scopes: ['keys:read'] });
    const waits = async () => (await rows.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rowCount;
    await until(waits, 'his request waits for its turn');
    expect((await call(admin(), method, `/v1/admin/users/${him}/${path}`, body)).status).toBeLessThan(300);
    await rows.query('COMMIT');
    expect((await making).status).toBe(401);
    expect((await rows.query('SELECT FROM api_keys WHERE name = $1', [him])).rowCount).toBe(0);
  });
});

describe('a backend', () => {
  it('is a bot with the name of its key: it joins and sends, over REST and over a socket', async () => {
    const { key, botUser } = await make(['keys:read'], { name: 'Deploy bot' });
    expect((await call(key, 'GET', '/v1/me')).body).toMatchObject({ id: botUser, name: 'Deploy bot', roles: [] });
    const room = await here.room('ann', 'public');
    expect((await call(key, 'POST', `/v1/rooms/${room}/join`)).status).toBe(200);
    const sent = await call(key, 'POST', `/v1/rooms/${room}/messages`, { text: 'Deployed.' }, { 'idempotency-key': 'd1' });
    expect([sent.status, sent.body.sender]).toEqual([201, botUser]);
    const client = await ChatClient.connect(here.wsUrl, { token: key });
    expect(await client.command('message.send', { room, clientId: 'd2', text: 'And again.' })).toMatchObject({ duplicate: false });
    await client.close();
    expect((await call(key, 'GET', `/v1/rooms/${await here.room('ann', 'private')}`)).status).toBe(404);
  });

  it('acts as the user whom it names, with the scope users:act, and never as more than that user', async () => {
    const { key } = await make(['users:act']);
    const as = (user: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      call(key, method, path, body, { 'parley-user': encodeURIComponent(user), ...headers });
    expect((await as('dän, 1', 'GET', '/v1/me')).body).toMatchObject({ id: 'dän, 1', roles: [] });
    await call(here.test.token('bob', { name: 'Bob' }), 'GET', '/v1/me');
    expect((await as('bob', 'GET', '/v1/me')).body).toMatchObject({ id: 'bob', name: 'Bob' });
    const room = await here.room('ann', 'private', ['bob']);
    const sent = await as('bob', 'POST', `/v1/rooms/${room}/messages`, { text: 'hi' }, { 'idempotency-key': 'm1' });
    expect([sent.status, sent.body.sender]).toEqual([201, 'bob']);
    expect((await as('eve', 'POST', `/v1/rooms/${room}/messages`, { text: 'hi' }, { 'idempotency-key': 'm2' })).status).toBe(404);
    expect((await as('bob', 'PATCH', `/v1/rooms/${room}`, { name: 'Mine' })).status).toBe(403);
    // An administrator's rights are in his tokens: his id brings none.
    expect((await as('root', 'PUT', '/v1/admin/users/bob/ban')).status).toBe(403);
    await call(admin(), 'PUT', '/v1/admin/users/bob/ban');
    expect((await as('bob', 'GET', '/v1/me')).status).toBe(403);
    await call(admin(), 'DELETE', '/v1/admin/users/bob/ban');
    expect((await as('bob', 'GET', '/v1/me')).status).toBe(200);
    // It acts after he was signed out, not before.
    await call(admin(), 'DELETE', '/v1/admin/users/bob/sessions');
    expect((await as('bob', 'GET', '/v1/me')).status).toBe(200);
  });

  it('acts for a guest, and for no other bot than itself', async () => {
    const [{ key, botUser }, other] = [await make(['users:act']), await make(['users:act'])];
    const status = async (user: string) => (await call(key, 'GET', '/v1/me', undefined, { 'parley-user': user })).status;
    expect([await status(botUser), await status('guest:one'), await status(other.botUser), await status('bot:x')]).toEqual([
      200, 200, 403, 403,
    ]);
  });

  it.each(['', '%', '%E0%A4%A', '%00', 'bob,eve', 'x'.repeat(256)])('is refused the user %j', async (user) => {
    const { key } = await make(['users:act']);
    const { status, body } = await call(key, 'GET', '/v1/me', undefined, { 'parley-user': user });
    expect([status, body.details[0].path]).toEqual([400, 'Parley-User']);
  });

  it('without the scope, or with a user’s token, is refused when it names a user, and not taken for itself', async () => {
    const { key } = await make(['tokens:write']);
    for (const token of [key, admin(), here.test.token('bob')])
      expect((await call(token, 'GET', '/v1/me', undefined, { 'parley-user': 'eve' })).status).toBe(403);
    expect((await refusedUpgrade(here.wsUrl, { token: key, headers: { 'parley-user': 'eve' } })).status).toBe(403);
  });

  it('gets a ticket for a user’s socket, which dies with the key', async () => {
    const { id, key } = await make(['users:act']);
    const { body } = await call(key, 'POST', '/v1/auth/tickets', undefined, { 'parley-user': 'frank' });
    const client = await ChatClient.connect(`${here.wsUrl}?ticket=${(body as { ticket: string }).ticket}`);
    expect(client.frames[0]!.data).toMatchObject({ userId: 'frank' });
    await call(admin(), 'DELETE', `/v1/admin/api-keys/${id}`);
    expect((await client.closed).code).toBe(4101);
  });

  it('gives its user no way to be another by that ticket, nor anybody by his own', async () => {
    const { key } = await make(['users:act', 'tokens:write']);
    for (const headers of [bearer(key, { 'parley-user': 'frank' }), bearer(key), bearer(here.test.token('frank'))]) {
      const { body } = await here.http(null, 'POST', '/v1/auth/tickets', undefined, headers);
      const url = `${here.wsUrl}?ticket=${(body as { ticket: string }).ticket}`;
      expect((await refusedUpgrade(url, { headers: { 'parley-user': 'root' } })).status).toBe(403);
    }
    await call(key, 'POST', '/v1/auth/tickets', undefined, { 'parley-user': 'unopened' });
    const { rows: kept } = await rows.query<{ claims: string }>(`SELECT claims::text FROM tickets WHERE claims ->> 'userId' = 'unopened'`);
    expect(kept.map(({ claims }) => claims.includes('users:act'))).toEqual([false]);
  });

  it('mints tokens for its users', async () => {
    const { key } = await make(['tokens:write']);
    const draft = { user: 'gina', name: 'Gina', roles: ['editor'], expiresInSeconds: 120 };
    const { status, body, headers } = await call(key, 'POST', '/v1/admin/tokens', draft);
    expect([status, body.expiresIn, headers.get('cache-control')]).toEqual([201, 120, 'no-store']);
    expect((await call(body.accessToken as string, 'GET', '/v1/me')).body).toMatchObject({ id: 'gina', name: 'Gina', roles: ['editor'] });
    const client = await ChatClient.connect(here.wsUrl, { token: body.accessToken as string });
    expect(new Date(client.frames[0]!.data.expiresAt as string).getTime() - Date.now()).toBeLessThanOrEqual(120_000);
    await client.close();
    expect((await call(key, 'POST', '/v1/admin/tokens', { user: 'gina' })).body).toMatchObject({ expiresIn: 900 });
  });

  it('takes the tokens that it minted along when it is revoked, and their sockets, and the tokens and tickets got by those', async () => {
    const { id, key } = await make(ALL_SCOPES);
    const mint = async (by: string, user: string, roles: string[] = []) =>
      (await call(by, 'POST', '/v1/admin/tokens', { user, roles, expiresInSeconds: 86_400 })).body.accessToken as string;
    const hers = await mint(key, 'hanna');
    const boss = await mint(key, 'boss', ['admin']);
    const tokens = [hers, boss, await mint(boss, 'ivan')];
    const { body } = await call(hers, 'POST', '/v1/auth/tickets');
    const sockets = await Promise.all([
      ChatClient.connect(there.wsUrl, { token: hers }),
      ChatClient.connect(there.wsUrl, { token: tokens[2]! }),
      ChatClient.connect(`${there.wsUrl}?ticket=${(body as { ticket: string }).ticket}`),
    ]);
    const own = await mint(admin(), 'hanna');
    for (const token of [...tokens, own]) expect((await call(token, 'GET', '/v1/me', undefined, {}, there)).status).toBe(200);
    await call(admin(), 'DELETE', `/v1/admin/api-keys/${id}`);
    expect(await Promise.all(sockets.map(async ({ closed }) => (await closed).code))).toEqual([4101, 4101, 4101]);
    for (const server of [here, there])
      for (const token of tokens) expect((await call(token, 'GET', '/v1/me', undefined, {}, server)).status).toBe(401);
    expect((await call(own, 'GET', '/v1/me')).status).toBe(200);
  });

  it('mints for no longer than it lives itself', async () => {
    const { key } = await make(['tokens:write'], { expiresInSeconds: 60 });
    const { body } = await call(key, 'POST', '/v1/admin/tokens', { user: 'gina', expiresInSeconds: 86_400 });
    expect(body.expiresIn).toBeLessThanOrEqual(60);
  });

  it('mints no administrator, unless it may do all that one may', async () => {
    const { key } = await make(['tokens:write', 'keys:write']);
    const draft = { user: 'gina', roles: ['editor', 'admin'] };
    expect((await call(key, 'POST', '/v1/admin/tokens', draft)).status).toBe(403);
    expect((await call(admin(), 'POST', '/v1/admin/tokens', draft)).status).toBe(201);
  });
});
