import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { usersFound } from '../../src/admin/users-admin.repository.js';
import { ALL_SCOPES } from '../../src/auth/scopes.js';
import { RoomBus } from '../../src/bus/room-bus.js';
import { AdministratorClient } from '../support/administrator.js';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

/** What docs/operations.md has for many users. */
const section = readFileSync('docs/operations.md', 'utf8').split('## Searches among very many users\n')[1]!.split('\n## ')[0]!;
const INDEXES = /```sql\n([^]*?)```/
  .exec(section)![1]!
  .split(';')
  .filter((statement) => statement.trim() !== '');

const PASSWORD = 'correct horse battery staple';

interface Login {
  accessToken: string;
  refreshToken: string;
  user: { id: string };
}

describe('users, on two instances', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let here: ChatServer;
  let there: ChatServer;
  let root: AdministratorClient;
  let admin: pg.Client;
  beforeAll(async () => {
    [database, redis] = await Promise.all([createTestDatabase(), TestRedis.start()]);
    const settings = { DATABASE_URL: database.url, REDIS_URL: redis.url };
    [here, there] = [await ChatServer.start(settings), await ChatServer.start(settings)];
    root = new AdministratorClient(here);
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    await until(() => [here, there].every((server) => server.get(RoomBus).health().status === 'up'), 'both are joined');
  });
  afterAll(async () => {
    await admin.end();
    await Promise.all([here.close(), there.close()]);
    await redis.stop();
    await database.drop();
  });

  const register = async (username: string): Promise<Login> =>
    (await here.http(null, 'POST', '/v1/auth/register', { username, password: PASSWORD })).body as Login;
  const login = (username: string) => there.http(null, 'POST', '/v1/auth/login', { username, password: PASSWORD });
  const refresh = (refreshToken: string) => there.http(null, 'POST', '/v1/auth/refresh', { refreshToken });
  const me = async (token: string) => (await there.http(null, 'GET', '/v1/me', undefined, { authorization: `Bearer ${token}` })).status;
  const rolesOf = (token: string) => (JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { roles?: string[] }).roles;
  const within1s = async (client: ChatClient) => {
    const startedAt = performance.now();
    const { code } = await client.closed;
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    return code;
  };

  it('line 17: a disabled user loses sockets, login, refresh and calls on every instance, and gets them back', async () => {
    const { user, accessToken, refreshToken } = await register('disabled');
    const client = await there.connect(user.id, { token: accessToken });
    const gone = within1s(client);
    const view = await root.done('PUT', `/users/${user.id}/disabled`, { disabled: true, reason: 'Left the company' });
    expect(view).toMatchObject({ disabledBy: 'root', disabledReason: 'Left the company', disabledAt: expect.any(String) });
    expect(await gone).toBe(4203);
    expect(await me(accessToken)).toBe(403);
    await expect(there.connect(user.id, { token: accessToken })).rejects.toThrow('403');
    expect(await login('disabled')).toMatchObject({ status: 403, body: { code: 'forbidden', message: 'The user is disabled.' } });
    expect((await refresh(refreshToken)).status).toBe(403);
    // A token of another issuer, for the same user, is no way in.
    expect(await me(here.test.token(user.id))).toBe(403);

    const again = await root.done('PUT', `/users/${user.id}/disabled`, { disabled: true });
    expect([again.disabledAt, again.disabledReason]).toEqual([view.disabledAt, null]);
    expect(await root.done('PUT', `/users/${user.id}/disabled`, { disabled: false })).toMatchObject({ disabledAt: null, disabledBy: null });
    await until(async () => (await me(accessToken)) === 200, 'the other instance knows');
    expect((await refresh(refreshToken)).status).toBe(200);
    expect((await login('disabled')).status).toBe(200);
  });

  it('line 37: what was done to a user is in the audit log, with who did it', async () => {
    const { user } = await register('watched');
    await root.done('PUT', `/users/${user.id}/roles`, { roles: ['watcher'] });
    await root.ask('PUT', `/users/${user.id}/disabled`, { disabled: 'yes' });
    const { rows } = await admin.query<Record<string, string>>(
      `SELECT action, outcome, actor_id FROM audit_log WHERE target ->> 'user' = $1 ORDER BY seq`,
      [user.id],
    );
    expect(rows.map(({ action, outcome, actor_id }) => [action, outcome, actor_id])).toEqual([
      ['user.roles', 'begun', 'root'],
      ['user.roles', 'ok', 'root'],
      ['user.disable', 'begun', 'root'],
      ['user.disable', 'failed', 'root'],
    ]);
  });

  it('a restarted instance knows who is disabled', async () => {
    const { user, accessToken } = await register('asleep');
    await root.done('PUT', `/users/${user.id}/disabled`, { disabled: true });
    const fresh = await ChatServer.start({ DATABASE_URL: database.url });
    await expect(fresh.connect(user.id, { token: accessToken })).rejects.toThrow('403');
    await fresh.close();
  });

  it('roles count from the next token on, and the tokens before are void at once, without a login being lost', async () => {
    const { user, accessToken, refreshToken } = await register('promoted');
    const client = await there.connect(user.id, { token: accessToken });
    const gone = within1s(client);
    expect(await root.done('PUT', `/users/${user.id}/roles`, { roles: ['admin', 'staff'] })).toMatchObject({ roles: ['admin', 'staff'] });
    expect(await gone).toBe(4101);
    expect(await me(accessToken)).toBe(401);
    const next = (await refresh(refreshToken)).body as Login;
    expect(rolesOf(next.accessToken)).toEqual(['admin', 'staff']);
    expect(rolesOf(((await login('promoted')).body as Login).accessToken)).toEqual(['admin', 'staff']);
    const token = next.accessToken;
    expect(await me(token)).toBe(200);
    expect((await here.http(null, 'GET', '/v1/admin/users', undefined, { authorization: `Bearer ${token}` })).status).toBe(200);
    // The same roles again change nothing, and void nothing.
    await root.done('PUT', `/users/${user.id}/roles`, { roles: ['admin', 'staff'] });
    expect(await me(token)).toBe(200);
    expect(await root.done('GET', '/users?role=staff')).toMatchObject({ items: [{ id: user.id }] });
    // One administrator is left.
    await root.done('PUT', `/users/${(await register('colleague')).user.id}/roles`, { roles: ['admin'] });
    await root.done('PUT', `/users/${user.id}/roles`, { roles: [] });
    expect(rolesOf(((await login('promoted')).body as Login).accessToken)).toBeUndefined();
  });

  describe('an API key with the scope users:write', () => {
    let key: string;
    /** As an administrator's, but that a key minted it. */
    let minted: string;
    beforeAll(async () => {
      ({ key } = (await root.done('POST', '/api-keys', { name: 'Shop', scopes: ['users:write', 'reports:write'] })) as { key: string });
      const full = (await root.done('POST', '/api-keys', { name: 'Full', scopes: ALL_SCOPES })) as { key: string };
      const by = { authorization: `Bearer ${full.key}` };
      const { body } = await here.http(null, 'POST', '/v1/admin/tokens', { user: 'puppet', roles: ['admin'] }, by);
      minted = body.accessToken as string;
    });
    const byKey = async (method: string, path: string, body?: unknown, token = key) =>
      (await here.http(null, method, `/v1/admin/users/${path}`, body, { authorization: `Bearer ${token}` })).status;

    it('gives and takes any role but admin', async () => {
      const { user } = await register('ambitious');
      for (const token of [key, minted]) expect(await byKey('PUT', `${user.id}/roles`, { roles: ['admin'] }, token)).toBe(403);
      expect(await byKey('PUT', `${user.id}/roles`, { roles: ['staff'] })).toBe(200);
      expect(await root.done('GET', `/users/${user.id}`)).toMatchObject({ roles: ['staff'] });
    });

    it('does nothing to an administrator, nor by deciding a report about him, nor by a token that a key minted', async () => {
      const { user } = await register('untouched');
      const { items } = (await root
        .done('PUT', `/users/${user.id}/roles`, { roles: ['admin'] })
        .then(() => root.done('GET', `/users/${user.id}/sessions`))) as { items: { id: string }[] };
      const before = await root.done('GET', `/users/${user.id}`);
      const acts: [string, string, unknown?][] = [
        ['PUT', 'roles', { roles: [] }],
        ['PUT', 'roles', { roles: ['admin', 'staff'] }],
        ['PUT', 'disabled', { disabled: true }],
        ['PUT', 'disabled', { disabled: false }],
        ['PUT', 'ban'],
        ['DELETE', 'ban'],
        ['PUT', 'mute'],
        ['DELETE', 'mute'],
        ['DELETE', 'sessions'],
        ['DELETE', `sessions/${items[0]!.id}`],
        ['DELETE', 'ban?dryRun=true'],
        ['DELETE', 'sessions?dryRun=true'],
      ];
      for (const token of [key, minted])
        for (const [method, path, body] of acts)
          expect([method, path, await byKey(method, `${user.id}/${path}`, body, token)]).toEqual([method, path, 403]);
      const { body: report } = await here.http('reporter', 'POST', `/v1/users/${user.id}/reports`, { reason: 'abuse' });
      for (const decision of ['ban', 'mute']) {
        const resolve = `../reports/${(report as { id: string }).id}/resolve`;
        for (const token of [key, minted]) expect(await byKey('POST', resolve, { decision, reason: 'Because' }, token)).toBe(403);
      }
      expect(await root.done('GET', `/users/${user.id}`)).toEqual(before);
      await root.done('PUT', `/users/${user.id}/roles`, { roles: [] });
      for (const [method, path, body] of acts)
        if (path !== 'roles') expect(await byKey(method, `${user.id}/${path}`, body)).toBeLessThan(300);
    });

    it('does nothing to whom tokens from elsewhere make an administrator, for 30 days; one write a day remembers him', async () => {
      const seen = async (user: string) =>
        (await admin.query<{ at: Date | null }>('SELECT administrator_seen_at AS at FROM users WHERE id = $1', [user])).rows[0]!.at;
      const wasSeen = (user: string, ago: string) =>
        admin.query(`UPDATE users SET administrator_seen_at = clock_timestamp() - $2::interval WHERE id = $1`, [user, ago]);
      const show = async (token: string, server = there) =>
        expect((await server.http(null, 'GET', '/v1/admin/users?limit=1', undefined, { authorization: `Bearer ${token}` })).status).toBe(
          200,
        );
      const acts: [string, string, unknown?][] = [
        ['DELETE', 'ceo/sessions'],
        ['PUT', 'ceo/mute'],
        ['PUT', 'ceo/disabled', { disabled: false }],
        ['PUT', 'ceo/ban'],
      ];
      const all = async () => Promise.all(acts.map(([method, path, body]) => byKey(method, path, body)));
      await there.http('ceo', 'GET', '/v1/me');
      expect(await byKey('PUT', 'ceo/mute')).toBe(204);
      const office = here.test.token('ceo', { roles: ['admin'] });
      await show(office);
      expect(await all()).toEqual([403, 403, 403, 403]);
      const first = await seen('ceo');
      for (const server of [there, here]) await show(office, server);
      expect(await seen('ceo')).toEqual(first);

      await show(minted);
      expect(await seen('puppet')).toBeNull();
      const { user } = await register('of-here');
      await root.done('PUT', `/users/${user.id}/roles`, { roles: ['admin'] });
      await show(((await login('of-here')).body as Login).accessToken);
      expect(await seen(user.id)).toBeNull();

      const other = here.test.token('cto', { roles: ['admin'] });
      await show(other);
      await wasSeen('cto', '25 hours');
      await show(other, here);
      expect((await seen('cto'))!.getTime()).toBeGreaterThan(first!.getTime());
      await wasSeen('ceo', '31 days');
      expect((await all()).filter((status) => status >= 300)).toEqual([]);
    });

    it('acts as an administrator, and has a token signed for him, with all scopes alone, and closes none of his connections', async () => {
      const makeKey = async (scopes: readonly string[]) =>
        ((await root.done('POST', '/api-keys', { name: 'B', scopes })) as { key: string }).key;
      const [full, lesser] = [await makeKey(ALL_SCOPES), await makeKey(['users:act', 'tokens:write', 'connections:write'])];
      const { user } = await register('officer');
      const socket = await there.connect(user.id);
      const outcomes = async (token: string, { frames }: ChatClient) => {
        const by = { authorization: `Bearer ${token}` };
        const connections = '/v1/admin/connections';
        const answers = await Promise.all([
          here.http(null, 'GET', '/v1/me/sessions', undefined, { ...by, 'parley-user': user.id }),
          here.http(null, 'POST', '/v1/admin/tokens', { user: user.id, name: 'A fool' }, by),
          here.http(null, 'DELETE', `${connections}?user=${user.id}&dryRun=true`, undefined, by),
          here.http(null, 'DELETE', `${connections}/${frames[0]!.data.connectionId}?dryRun=true`, undefined, by),
        ]);
        return answers.map(({ status }) => status);
      };
      expect(await outcomes(lesser, socket)).toEqual([200, 201, 200, 200]);
      await root.done('PUT', `/users/${user.id}/roles`, { roles: ['admin'] });
      await socket.closed;
      const again = await there.connect(user.id, { token: ((await login('officer')).body as Login).accessToken });
      expect(await outcomes(lesser, again)).toEqual([403, 403, 403, 403]);
      expect(await outcomes(full, again)).toEqual([200, 201, 403, 403]);
      const { items } = (await root.done('GET', `/users/${user.id}/sessions`)) as { items: { id: string }[] };
      const his = { authorization: `Bearer ${full}` };
      const token = (await here.http(null, 'POST', '/v1/admin/tokens', { user: user.id }, his)).body.accessToken as string;
      for (const by of [{ ...his, 'parley-user': user.id }, { authorization: `Bearer ${token}` }])
        expect((await here.http(null, 'DELETE', `/v1/me/sessions/${items[0]!.id}`, undefined, by)).status).toBe(403);
      for (const which of [`?user=${user.id}`, `/${again.frames[0]!.data.connectionId}`]) {
        const by = { authorization: `Bearer ${lesser}` };
        expect((await here.http(null, 'DELETE', `/v1/admin/connections${which}`, undefined, by)).status).toBe(403);
      }
      expect(again.socket.readyState).toBe(again.socket.OPEN);
      await again.close();
    });

    it('never gives the role admin back to whom an administrator takes it from at that moment', async () => {
      const { user } = await register('dismissed');
      for (let round = 0; round < 15; round++) {
        await root.done('PUT', `/users/${user.id}/roles`, { roles: ['admin'] });
        const racing = Array.from({ length: 6 }, () => byKey('PUT', `${user.id}/roles`, { roles: ['admin'] }));
        await root.done('PUT', `/users/${user.id}/roles`, { roles: [] });
        expect(new Set(await Promise.all(racing))).toEqual(new Set([403]));
        expect(await root.done('GET', `/users/${user.id}`)).toMatchObject({ roles: [] });
      }
    });
  });

  describe('the last administrator with an account', () => {
    const make = async (username: string) => {
      const login = await register(username);
      await root.done('PUT', `/users/${login.user.id}/roles`, { roles: ['admin'] });
      return login;
    };
    let first: Login;
    let second: Login;
    beforeAll(async () => {
      await admin.query(`UPDATE users SET roles = '{}'`);
      first = await make('first-admin');
      second = await make('second-admin');
    });
    const dismissals = (user: string): [string, string, unknown?][] => [
      ['PUT', `/users/${user}/roles`, { roles: [] }],
      ['PUT', `/users/${user}/disabled`, { disabled: true }],
      ['PUT', `/users/${user}/ban`, { until: '2099-01-01T00:00:00Z' }],
    ];
    const undo = async (user: string) => {
      await root.done('DELETE', `/users/${user}/ban`);
      await root.done('PUT', `/users/${user}/disabled`, { disabled: false });
      await root.done('PUT', `/users/${user}/roles`, { roles: ['admin'] });
    };

    it('cannot be lost, by whatever act, while others can', async () => {
      for (const [method, path, body] of dismissals(second.user.id)) {
        await root.done(method, path, body);
        for (const last of dismissals(first.user.id))
          expect([path, last[1], (await root.ask(...last)).status]).toEqual([path, last[1], 409]);
        expect(await root.done('GET', `/users/${first.user.id}`)).toMatchObject({ roles: ['admin'], disabledAt: null, bannedAt: null });
        await undo(second.user.id);
      }
      // What is no end of his office may be done to him, the only one.
      await root.done(...dismissals(second.user.id)[0]!);
      for (const act of [
        ['PUT', `/users/${first.user.id}/roles`, { roles: ['admin', 'staff'] }],
        ['PUT', `/users/${first.user.id}/mute`, {}],
        ['DELETE', `/users/${first.user.id}/mute`],
        ['DELETE', `/users/${first.user.id}/sessions`],
      ] as [string, string, unknown?][])
        await root.done(...act);
      await undo(second.user.id);
      // One whose ban is over is another.
      await admin.query(`UPDATE users SET banned_at = now(), banned_until = now() WHERE id = $1`, [second.user.id]);
      await root.done(...dismissals(first.user.id)[0]!);
      for (const { user } of [first, second]) await undo(user.id);
    });

    it('is kept when all are dismissed at once, on two instances', async () => {
      const other = new AdministratorClient(there, 'other-root');
      for (let round = 0; round < 8; round++) {
        const acts = [...dismissals(first.user.id), ...dismissals(second.user.id)];
        const statuses = await Promise.all(acts.map(async (act, index) => (await (index < 3 ? root : other).ask(...act)).status));
        expect(statuses).toContain(409);
        const { rows } = await admin.query(
          `SELECT FROM users WHERE 'admin' = ANY (roles) AND disabled_at IS NULL AND banned_at IS NULL AND id = ANY ($1)`,
          [[first.user.id, second.user.id]],
        );
        expect(rows).toHaveLength(1);
        await undo(first.user.id);
        await undo(second.user.id);
      }
    });

    it('is no matter of a server on which nobody logs in, nor where there is none', async () => {
      const elsewhere = await ChatServer.start({ DATABASE_URL: database.url, LOCAL_ACCOUNTS: 'off' });
      await root.done('PUT', `/users/${second.user.id}/roles`, { roles: [] });
      await new AdministratorClient(elsewhere).done('PUT', `/users/${first.user.id}/roles`, { roles: [] });
      await elsewhere.close();
      for (const act of dismissals(first.user.id)) await root.done(...act);
    });
  });

  it('logins are listed, ended one by one, and all together', async () => {
    const { user, accessToken } = await register('roamer');
    const other = (await login('roamer')).body as Login;
    const third = (await login('roamer')).body as Login;
    const sessions = (await root.all(`/users/${user.id}/sessions`, 2)) as { id: string; endedAt: string | null }[];
    expect(sessions).toHaveLength(3);
    expect(await root.done('GET', `/users/${user.id}`)).toMatchObject({ sessionCount: 3, username: 'roamer', roomCount: 0 });
    const client = await there.connect(user.id, { token: third.accessToken });
    const gone = within1s(client);
    await root.done('DELETE', `/users/${user.id}/sessions/${sessions[0]!.id}`);
    expect(await gone).toBe(4101);
    expect([await me(third.accessToken), await me(other.accessToken), await me(accessToken)]).toEqual([401, 200, 200]);
    expect((await refresh(third.refreshToken)).status).toBe(401);
    expect((await root.ask('DELETE', `/users/somebody/sessions/${sessions[1]!.id}`)).status).toBe(404);
    expect(await me(other.accessToken)).toBe(200);

    const last = await there.connect(user.id, { token: other.accessToken });
    const closed = within1s(last);
    await root.done('DELETE', `/users/${user.id}/sessions`);
    expect(await closed).toBe(4101);
    expect((await refresh(other.refreshToken)).status).toBe(401);
    const ended = (await root.all(`/users/${user.id}/sessions`, 10)) as { endedAt: string | null }[];
    expect(ended.every(({ endedAt }) => endedAt !== null)).toBe(true);
    expect(await root.done('GET', `/users/${user.id}`)).toMatchObject({ sessionCount: 0, tokensVoidUntil: expect.any(String) });
  });

  it('a user whose row somebody holds keeps no others waiting, on any instance', async () => {
    const [held, free] = [await register('held'), await register('free')];
    await admin.query('BEGIN');
    await admin.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [held.user.id]);
    const banned = root.ask('PUT', `/users/${held.user.id}/ban`);
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await until(async () => (await admin.query(waiting)).rowCount, 'the ban waits for the row');
    const other = new AdministratorClient(there, 'other-root').ask('PUT', `/users/${free.user.id}/ban`);
    const first = await Promise.race([banned.then(() => 'held'), other.then(({ status }) => status)]);
    await admin.query('COMMIT');
    expect([first, (await banned).status]).toEqual([204, 204]);
  });

  it('nobody disables, bans or mutes himself', async () => {
    for (const [path, body] of [
      ['disabled', { disabled: true }],
      ['ban', {}],
      ['mute', {}],
    ] as const)
      expect(await root.ask('PUT', `/users/root/${path}`, body)).toMatchObject({ status: 409 });
    expect((await root.ask('GET', '/users')).status).toBe(200);
    expect((await here.http('root', 'GET', '/v1/me')).status).toBe(200);
  });

  it('an unknown user is not made by being asked about', async () => {
    for (const [method, path, body] of [
      ['GET', '/users/nobody'],
      ['PUT', '/users/nobody/disabled', { disabled: true }],
      ['PUT', '/users/nobody/roles', { roles: ['admin'] }],
      ['DELETE', '/users/nobody/sessions'],
      ['DELETE', '/users/nobody/sessions?dryRun=true'],
      ['GET', '/users/nobody'],
    ] as const)
      expect((await root.ask(method, path, body)).status).toBe(404);
  });

  describe('searched', () => {
    beforeAll(async () => {
      await admin.query(`INSERT INTO users (id, name) VALUES
        ('s-1', '100% Ann'), ('s-2', 'AN_Other'), ('s-3', 'Anx'), ('s-4', NULL), ('S-5', 'Ünal'), ('s\\6', 'back')`);
    });
    const found = async (q: string) =>
      ((await root.all(`/users?q=${encodeURIComponent(q)}`, 2)) as { id: string }[])
        .map(({ id }) => id)
        .filter((id) => /^s[-\\]/i.test(id));

    it('by any part of an id or of a name, in any case of the name', async () => {
      expect(await found('s-')).toEqual(['s-1', 's-2', 's-3', 's-4']);
      expect(await found('-4')).toEqual(['s-4']);
      expect(await found('an')).toEqual(['s-1', 's-2', 's-3']);
      expect(await found('ün')).toEqual(['S-5']);
      expect(await found('NN')).toEqual(['s-1']);
      expect(await found('nnn')).toEqual([]);
    });

    it('together with what else is asked for, page by page, each once', async () => {
      await admin.query(`INSERT INTO users (id, name, roles, disabled_at)
        SELECT 't-' || i, 'Tern t-' || i, CASE WHEN i % 5 = 0 THEN '{tern}'::text[] ELSE '{}' END, CASE WHEN i % 10 = 0 THEN now() END
        FROM generate_series(10, 59) i`);
      const ids = async (query: string) => ((await root.all(`/users?q=t-&${query}`, 2)) as { id: string }[]).map(({ id }) => id);
      expect(await ids('role=tern&disabled=true')).toEqual(['t-10', 't-20', 't-30', 't-40', 't-50']);
      expect(await ids('role=tern&disabled=false')).toEqual(['t-15', 't-25', 't-35', 't-45', 't-55']);
    });

    it('by a username', async () => {
      const { user } = await register('Searched');
      const { items } = await root.done('GET', '/users?q=eARCHe');
      expect(items.map(({ id }: { id: string }) => id)).toEqual([user.id]);
    });

    it('line 32: metacharacters mean themselves', async () => {
      for (const q of ['100%', '%', '% A']) expect([q, await found(q)]).toEqual([q, ['s-1']]);
      for (const q of ['an_', '_']) expect([q, await found(q)]).toEqual([q, ['s-2']]);
      for (const q of ['s\\', '\\']) expect([q, await found(q)]).toEqual([q, ['s\\6']]);
      for (const q of ["' OR 1=1 --", '%%', '_n', 's%', '\\\\']) expect([q, await found(q)]).toEqual([q, []]);
    });
  });

  it('a ban and a mute are seen with who set them, why and until when, for as long as they are on', async () => {
    const { user } = await register('sanctioned');
    const view = async () => root.done('GET', `/users/${user.id}`);
    expect(await view()).toMatchObject({ bannedAt: null, mutedAt: null, ban: null, mute: null });
    const until = '2099-01-01T00:00:00.000Z';
    await root.done('PUT', `/users/${user.id}/ban`, { reason: 'Spam', until });
    await root.done('PUT', `/users/${user.id}/mute`, {});
    const { ban, mute, bannedAt, mutedAt } = await view();
    expect(ban).toEqual({ by: 'root', reason: 'Spam', until, createdAt: bannedAt });
    expect(mute).toEqual({ by: 'root', reason: null, until: null, createdAt: mutedAt });
    expect(await root.done('GET', '/users?q=sanctioned')).toMatchObject({ items: [{ bannedAt, mutedAt }] });
    // Set again while it is on it is the same one, and another one afterwards.
    const again = async () => {
      for (const what of ['ban', 'mute']) await root.done('PUT', `/users/${user.id}/${what}`, {});
      return view();
    };
    expect(await again()).toMatchObject({ bannedAt, mutedAt });
    await admin.query('UPDATE users SET banned_until = now(), muted_until = now() WHERE id = $1', [user.id]);
    expect(await view()).toMatchObject({ bannedAt: null, mutedAt: null, ban: null, mute: null });
    const other = await again();
    expect([other.bannedAt > bannedAt, other.mutedAt > mutedAt]).toEqual([true, true]);
  });

  describe('of many users, with the indexes for them,', () => {
    beforeAll(async () => {
      await admin.query(`INSERT INTO users (id, name, roles, disabled_at)
        SELECT 'bulk-' || i, 'Bulk ' || i, CASE WHEN i <= 3 THEN '{rare}'::text[] ELSE '{}' END, CASE WHEN i <= 3 THEN now() END
        FROM generate_series(1, 40000) i`);
      for (const statement of INDEXES) await admin.query(statement);
      await admin.query('ANALYZE users');
    });

    it.each([
      ['a rare part', { q: 'k 777' }, 11],
      ['a part that comes to a page', { q: 'ulk' }, 51],
      ['role', { role: 'rare' }, 3],
      ['disabled', { role: 'rare', disabled: true }, 3],
      ['nothing, and comes to a page', {}, 51],
    ])('a search by %s reads few pages', async (_, filter, count) => {
      const { text, values } = usersFound(filter, 'bulk', 51);
      const { rows } = await admin.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
        values,
      );
      const { Plan: plan } = rows[0]!['QUERY PLAN'][0];
      expect(plan['Actual Rows']).toBe(count);
      expect(plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!).toBeLessThan(300);
    });
  });
});
