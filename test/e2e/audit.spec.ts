import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../src/database/migrate.js';
import { BuiltServer, REPOSITORY } from '../support/built-server.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { administer } from '../support/test-postgres.js';
import { until } from '../support/until.js';

// The names and passwords of the page, and those that stand for them here: roles are the whole PostgreSQL's.
const suffix = randomBytes(4).toString('hex');
const [OWNER, SERVER, DATABASE] = [`parley_owner_${suffix}`, `parley_server_${suffix}`, `parley_audit_${suffix}`];
const SECRET = 'a-secret-of-the-tests-0123456789-abcdefghij';
const page = readFileSync(join(REPOSITORY, 'docs/operations.md'), 'utf8');
const section = page.split('### Servers that cannot change it\n')[1]!.split('\n## ')[0]!;
const [MAKE, GRANT] = [...section.matchAll(/```sql\n([^]*?)```/g)].map(([, block]) =>
  block!
    .replace(/DATABASE parley\b/, `DATABASE ${DATABASE}`)
    .replaceAll('parley_owner', OWNER)
    .replaceAll('parley_server', SERVER),
);

const adminUrl = process.env.PARLEY_TEST_ADMIN_URL!;
const urlOf = (role: string, password: string) => {
  const url = new URL(adminUrl);
  [url.username, url.password, url.pathname] = [role, password, `/${DATABASE}`];
  return url.href;
};
const serverUrl = urlOf(SERVER, 'another-password');

let server: BuiltServer | undefined;
let base: string;
/** As the owner, as the servers' role, and as a superuser, all in the database. */
let owner: pg.Client;
let role: pg.Client;
let superuser: pg.Client;

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

async function http(token: string | null, method: string, path: string, body?: object) {
  const headers: Record<string, string> = { 'x-request-id': 'e2e', ...(body && { 'content-type': 'application/json' }) };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  const response = await fetch(base + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, text: await response.text() };
}

function adminToken(): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = { sub: 'root', roles: ['admin'], iss: 'parley', aud: 'parley', iat: now, exp: now + 3600, jti: randomUUID() };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

const rows = async () => (await role.query<Record<string, unknown>>('SELECT * FROM audit_log ORDER BY seq')).rows;

beforeAll(async () => {
  for (const statement of MAKE!.split(';\n').filter(Boolean)) await administer(adminUrl, statement);
  await expect(migrate(serverUrl)).rejects.toMatchObject({ code: '42501' });
  await migrate(urlOf(OWNER, 'one-password'));
  [owner, role] = [await connect(urlOf(OWNER, 'one-password')), await connect(serverUrl)];
  const { username, password } = new URL(adminUrl);
  superuser = await connect(urlOf(username, password));
  await owner.query(GRANT!);
  server = BuiltServer.start({ settings: { DATABASE_URL: serverUrl, JWT_SECRET: SECRET, DRAIN_MS: '0', LOG_LEVEL: 'warn' } });
  base = await server.ready();
}, 60_000);

afterAll(async () => {
  await server?.stop('SIGKILL');
  for (const client of [owner, role, superuser]) await client?.end();
  await administer(adminUrl, `DROP DATABASE ${DATABASE} WITH (FORCE)`);
  for (const name of [SERVER, OWNER]) await administer(adminUrl, `DROP ROLE ${name}`);
});

describe('a server under a role that owns nothing', () => {
  it('is not a superuser’s, and serves: accounts, rooms, messages, refusals and acts of administrators', async () => {
    const { rows: found } = await role.query<{ rolsuper: boolean }>('SELECT rolsuper FROM pg_roles WHERE rolname = current_user');
    expect(found).toEqual([{ rolsuper: false }]);
    const account = { username: 'ada', password: 'correct horse battery staple' };
    expect((await http(null, 'POST', '/v1/auth/login', account)).status).toBe(401);
    const { accessToken, user } = JSON.parse((await http(null, 'POST', '/v1/auth/register', account)).text) as {
      accessToken: string;
      user: { id: string };
    };
    const wsUrl = `${base.replace('http', 'ws')}/ws`;
    const ada = await ChatClient.connect(wsUrl, { token: accessToken });
    const room = (JSON.parse((await http(accessToken, 'POST', '/v1/rooms', { type: 'public', name: 'Lobby' })).text) as { id: string }).id;
    await ada.command('room.subscribe', { room });
    const { seq } = (await ada.command('message.send', { room, clientId: '1', text: 'hi' })) as { seq: number };
    await ada.seen((frame) => frame.event === 'message.created' && frame.seq === seq);
    await ada.command('message.edit', { room, seq, text: 'hello' });
    await ada.command('read.set', { room, seq });

    const admin = adminToken();
    const statuses = [
      await http(admin, 'POST', `/v1/admin/messages/${room}/${seq}/remove`, { reason: 'e2e' }),
      await http(admin, 'PUT', '/v1/admin/users/mallory/mute'),
      await http(admin, 'POST', '/v1/admin/api-keys', { name: 'Backend', scopes: ['tokens:write'] }),
      await http(admin, 'POST', '/v1/admin/notices', { text: 'Soon', level: 'info' }),
      await http(admin, 'GET', '/v1/admin/statistics'),
      await http(admin, 'PUT', `/v1/admin/users/${user.id}/ban`),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 204, 201, 202, 200, 204]);
    expect((await ada.closed).code).toBe(4203);
    expect((await refusedUpgrade(wsUrl, { token: accessToken })).status).toBe(403);

    await until(async () => (await rows()).some(({ action }) => action === 'access.handshake'), 'the refusal is written');
    expect((await rows()).map(({ action, outcome, actor_id }) => [action, outcome, actor_id])).toEqual([
      ['login.password', 'denied', 'ada'],
      ...['message.remove', 'user.mute', 'key.create', 'notice.send'].flatMap((action) =>
        ['begun', 'ok'].map((is) => [action, is, 'root']),
      ),
      ['statistics.read', 'ok', 'root'],
      ['user.ban', 'begun', 'root'],
      ['user.ban', 'ok', 'root'],
      ['access.handshake', 'denied', user.id],
    ]);
    expect((await http(admin, 'GET', '/v1/admin/audit/export')).text.trimEnd().split('\n')).toHaveLength(13);
    expect(server!.output).not.toMatch(/"level":[56]0/);
  });

  it.each([
    'UPDATE audit_log SET actor_id = NULL',
    'DELETE FROM audit_log',
    'TRUNCATE audit_log',
    `INSERT INTO audit_log SELECT * FROM audit_log`,
    'UPDATE audit_head SET seq = 0',
    'DELETE FROM audit_head',
  ])('cannot %s', async (statement) => {
    await expect(role.query(statement)).rejects.toMatchObject({ code: '42501', message: expect.stringMatching(/^permission denied/) });
  });

  it.each([
    'ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only',
    'DROP TRIGGER audit_log_append_only ON audit_log',
    'CREATE OR REPLACE FUNCTION refuse_audit_change_v1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    'DROP TABLE audit_log',
  ])('cannot %s', async (statement) => {
    await expect(role.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('cannot put a table of its own in the way of the function that runs with the owner’s rights', async () => {
    const before = (await rows()).length;
    await role.query(`CREATE TEMP TABLE audit_log AS TABLE public.audit_log WITH NO DATA;
      GRANT INSERT ON pg_temp.audit_log TO PUBLIC;
      CREATE FUNCTION pg_temp.as_owner() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN ALTER TABLE public.audit_log DISABLE TRIGGER audit_log_append_only; RETURN NULL; END $$;
      CREATE TRIGGER as_owner AFTER INSERT ON pg_temp.audit_log EXECUTE FUNCTION pg_temp.as_owner()`);
    await role.query(`SELECT append_audit_v1('[{"action":"a.b","outcome":"ok","actorKind":"server"}]')`);
    await role.query('DROP TABLE pg_temp.audit_log');
    expect(await rows()).toHaveLength(before + 1);
    const { rows: triggers } = await superuser.query(`SELECT tgenabled FROM pg_trigger WHERE tgname = 'audit_log_append_only'`);
    expect(triggers).toEqual([{ tgenabled: 'A' }]);
  });
});

/** A command of package.json, under the servers' role unless settings say otherwise, as an operator runs it. */
async function command(
  args: string[],
  settings: Record<string, string> = {},
): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn('npm', ['run', '-s', ...args], {
    cwd: REPOSITORY,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: serverUrl, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output, errors };
}

describe('npm run admin:grant', () => {
  const grant = (username: string, settings?: Record<string, string>) => command(['admin:grant', '--', username], settings);
  const account = (username: string) => ({ username, password: 'correct horse battery staple' });
  interface Login {
    accessToken: string;
    refreshToken: string;
    user: { id: string };
  }
  const enter = async (way: string, body: object) => JSON.parse((await http(null, 'POST', `/v1/auth/${way}`, body)).text) as Login;

  it('makes an account an administrator beside a server that runs, once, and says so in the audit log', async () => {
    const login = await enter('register', account('grace'));
    const client = await ChatClient.connect(`${base.replace('http', 'ws')}/ws`, { token: login.accessToken });
    expect((await http(login.accessToken, 'GET', '/v1/admin/users')).status).toBe(403);
    const before = (await rows()).at(-1)!.seq as string;
    expect(await grant('GRACE')).toEqual({
      code: 0,
      output: '"GRACE" is an administrator, from the next login or refresh on: earlier access tokens are void.\n',
      errors: '',
    });
    expect((await client.closed).code).toBe(4101);
    expect((await http(login.accessToken, 'GET', '/v1/me')).status).toBe(401);
    const { accessToken } = await enter('refresh', { refreshToken: login.refreshToken });
    expect((await http(accessToken, 'GET', '/v1/admin/users')).status).toBe(200);

    expect(await grant('grace')).toEqual({ code: 0, output: '"grace" is an administrator already.\n', errors: '' });
    expect((await http(accessToken, 'GET', '/v1/me')).status).toBe(200);
    const written = (await rows()).filter(({ seq, action }) => BigInt(seq as string) > BigInt(before) && action === 'user.roles');
    expect(written).toMatchObject([
      {
        outcome: 'ok',
        actor_kind: 'operator',
        actor_id: userInfo().username,
        target: { user: login.user.id },
        details: { roles: ['admin'] },
      },
    ]);
    expect(await http(adminToken(), 'GET', '/v1/admin/audit?action=user.roles')).toMatchObject({
      status: 200,
      text: expect.stringContaining('"kind":"operator"'),
    });
  });

  it('says why not: no such account, a disabled or banned user, no database, no accounts here, no username', async () => {
    const { user } = await enter('register', account('barred'));
    const done = (act: string, body: object) => http(adminToken(), 'PUT', `/v1/admin/users/${user.id}/${act}`, body);
    await done('disabled', { disabled: true });
    const refused = (errors: string) => ({ code: 1, output: '', errors: `${errors}\n` });
    expect(
      await Promise.all([
        grant('nobody'),
        grant('barred'),
        grant('grace', { DATABASE_URL: 'postgresql://parley@127.0.0.1:1/parley' }),
        grant('grace', { DATABASE_URL: adminUrl }),
        grant('grace', { LOCAL_ACCOUNTS: 'off' }),
        grant(''),
      ]),
    ).toEqual([
      refused('There is no account with the username "nobody": register it first.'),
      refused('"barred" is disabled, and could not log in: choose another.'),
      refused('The database cannot be used: connect ECONNREFUSED 127.0.0.1:1'),
      refused('The database is not that of a server of this release: start the server first.'),
      refused('LOCAL_ACCOUNTS is off: nobody logs in here, and roles are what tokens from elsewhere say.'),
      refused('usage: npm run admin:grant -- USERNAME'),
    ]);
    await done('disabled', { disabled: false });
    await done('ban', {});
    expect(await grant('barred')).toEqual(refused('"barred" is banned, and could not log in: choose another.'));
    expect((await role.query('SELECT roles FROM users WHERE id = $1', [user.id])).rows).toEqual([{ roles: [] }]);
  });
});

describe('npm run audit:verify', () => {
  const verify = () => command(['audit:verify']);

  it('says that the log is as it was written, and where it ends', async () => {
    const { seq, hash } = (await rows()).at(-1)! as { seq: string; hash: Buffer };
    const head = `${seq}:${hash.toString('hex')}`;
    expect(await verify()).toEqual({ code: 0, output: `The audit log is as it was written: ${seq} rows, head ${head}\n`, errors: '' });
  });

  it.each([
    ['changed', ['UPDATE audit_log SET actor_id = NULL WHERE seq = 3'], 'row 3 was changed'],
    ['removed', ['DELETE FROM audit_log WHERE seq = 5'], 'row 5 is missing: after 4 comes 6'],
    [
      'reordered',
      ['900 WHERE seq = 7', '7 WHERE seq = 8', '8 WHERE seq = 900'].map((move) => `UPDATE audit_log SET seq = ${move}`),
      'row 7 does not follow the row before it: one of them was changed or moved',
    ],
  ])('finds a row that was %s, by who owns the log, and names it', async (_, statements, found) => {
    const triggers = (how: string) =>
      owner.query(`ALTER TABLE audit_log ${how} TRIGGER audit_log_append_only, ${how} TRIGGER audit_log_follows`);
    await owner.query('CREATE TABLE kept AS TABLE audit_log');
    await triggers('DISABLE');
    // The owner has taken from himself what he can give himself again.
    await owner.query('GRANT UPDATE, DELETE ON audit_log TO CURRENT_USER');
    for (const statement of statements) await owner.query(statement);
    expect(await verify()).toEqual({ code: 1, output: '', errors: `The audit log was tampered with: ${found}\n` });
    await owner.query('DELETE FROM audit_log; INSERT INTO audit_log TABLE kept; DROP TABLE kept');
    await owner.query('REVOKE UPDATE, DELETE ON audit_log FROM CURRENT_USER');
    await triggers('ENABLE ALWAYS');
  });
});
