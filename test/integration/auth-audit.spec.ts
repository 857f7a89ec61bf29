import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';

interface Row {
  action: string;
  outcome: string;
  actor_kind: string;
  actor_id: string | null;
  target: Record<string, string> | null;
  address: string | null;
  request_id: string | null;
  details: Record<string, unknown> | null;
}

const ACCOUNT = { username: 'ada', password: 'correct horse battery' };
let server: ChatServer;
let client: pg.Client;
let from = 0;

beforeAll(async () => {
  server = await ChatServer.start({ LIMITS: 'on' });
  client = new pg.Client({ connectionString: server.test.databaseUrl });
  await client.connect();
  await server.http(null, 'POST', '/v1/auth/register', ACCOUNT);
});

afterAll(async () => {
  await client.end();
  await server.close();
});

beforeEach(async () => {
  from = Number((await client.query<{ seq: string }>('SELECT seq FROM audit_head')).rows[0]!.seq);
});

const rows = async () => (await client.query<Row>('SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq', [from])).rows;
const enter = (way: string, body: object, requestId = 'r1') =>
  server.http(null, 'POST', `/v1/auth/${way}`, body, { 'x-request-id': requestId });

/** The entries that there are once there are so many. */
async function written(count: number): Promise<Row[]> {
  await until(async () => (await rows()).length >= count, `there are ${count} entries`);
  const all = await rows();
  expect(all).toHaveLength(count);
  return all;
}

describe('the audit log', () => {
  it('has who was not let in, with the username that he claimed, and no password', async () => {
    await enter('login', { ...ACCOUNT, password: 'hunter2 hunter2' }, 'wrong');
    await written(1);
    await enter('login', { username: 'nobody\nroot', password: 'hunter2 hunter2' }, 'unknown');
    await written(2);
    await enter('register', ACCOUNT, 'taken');
    const all = await written(3);
    const common = { outcome: 'denied', actor_kind: 'anonymous', address: '127.0.0.1', target: null };
    expect(all).toEqual([
      expect.objectContaining({
        ...common,
        action: 'login.password',
        actor_id: 'ada',
        request_id: 'wrong',
        details: { code: 'unauthenticated' },
      }),
      expect.objectContaining({ ...common, action: 'login.password', actor_id: 'nobody\nroot', request_id: 'unknown' }),
      expect.objectContaining({
        ...common,
        action: 'account.register',
        actor_id: 'ada',
        request_id: 'taken',
        details: { code: 'conflict' },
      }),
    ]);
    expect(JSON.stringify(all)).not.toContain('hunter2');
  });

  it('has no entry for who is let in, or sends what cannot be read', async () => {
    const { body } = await enter('login', ACCOUNT);
    await enter('refresh', { refreshToken: (body as { refreshToken: string }).refreshToken });
    await enter('login', { username: 7 });
    await enter('login', { ...ACCOUNT, password: 'wrong wrong' }, 'last');
    expect((await written(1)).map(({ request_id }) => request_id)).toEqual(['last']);
  });

  it('tells a refresh token that is used again from one that never was', async () => {
    const { body } = await enter('login', ACCOUNT);
    const { refreshToken, user } = body as { refreshToken: string; user: { id: string } };
    await enter('refresh', { refreshToken });
    expect((await enter('refresh', { refreshToken }, 'again')).status).toBe(401);
    await written(1);
    expect((await enter('refresh', { refreshToken: 'never' }, 'never')).status).toBe(401);
    const [again, never] = await written(2);
    expect(again).toMatchObject({ action: 'login.reuse', request_id: 'again', target: { user: user.id, session: expect.any(String) } });
    expect(never).toMatchObject({ action: 'login.refresh', request_id: 'never', target: null });
    expect(JSON.stringify([again, never])).not.toContain(refreshToken);
  });

  it('has keys made and revoked and tokens minted, and no secret', async () => {
    const admin = { authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}` };
    const made = await server.http(null, 'POST', '/v1/admin/api-keys', { name: 'Backend', scopes: ['tokens:write'] }, admin);
    const { id, key } = made.body as { id: string; key: string };
    const minted = await server.http(null, 'POST', '/v1/admin/tokens', { user: 'u7' }, { authorization: `Bearer ${key}` });
    await server.http(null, 'DELETE', `/v1/admin/api-keys/${id}`, undefined, admin);
    const all = await written(6);
    expect(all.map(({ action, outcome, actor_kind, actor_id, target }) => [action, outcome, actor_kind, actor_id, target])).toEqual(
      [
        ['key.create', 'user', 'root', null],
        ['token.mint', 'key', id, { user: 'u7' }],
        ['key.revoke', 'user', 'root', { key: id }],
      ].flatMap(([action, ...rest]) => ['begun', 'ok'].map((outcome) => [action, outcome, ...rest])),
    );
    const dump = JSON.stringify(all);
    expect([dump.includes(key.slice(-43)), dump.includes((minted.body as { accessToken: string }).accessToken)]).toEqual([false, false]);
  });
});
