import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { AuditRow } from '../support/audit-row.js';
import { refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';

let server: ChatServer;
let client: pg.Client;
let from = 0;

async function rows(): Promise<AuditRow[]> {
  return (await client.query<AuditRow>('SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq', [from])).rows;
}

const asAdmin = (method: string, path: string, body?: unknown, requestId = 'r1') => {
  const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
  return server.http(null, method, path, body, { authorization, 'x-request-id': requestId });
};

beforeAll(async () => {
  server = await ChatServer.start({ TRUSTED_PROXIES: 'loopback' });
  client = new pg.Client({ connectionString: server.test.databaseUrl });
  await client.connect();
});

beforeEach(async () => {
  from = Number((await client.query<{ seq: string }>('SELECT seq FROM audit_head')).rows[0]!.seq);
});

afterAll(async () => {
  await client.end();
  await server.close();
});

const both = (action: string, target: object, details: object) => ['begun', 'ok'].map((outcome) => [action, outcome, target, details]);

describe('acts of administrators', () => {
  it('are written before and after, with actor, target, address and request id', async () => {
    expect((await asAdmin('PUT', '/v1/admin/users/mallory/ban')).status).toBe(204);
    const common = {
      action: 'user.ban',
      actor_kind: 'user',
      actor_id: 'root',
      target: { user: 'mallory' },
      address: '127.0.0.1',
      request_id: 'r1',
    };
    expect(await rows()).toEqual([
      expect.objectContaining({ ...common, outcome: 'begun' }),
      expect.objectContaining({ ...common, outcome: 'ok', details: null }),
    ]);
  });

  it('say what was asked for and what was made: a dry run is not an act, and taking a role not giving it', async () => {
    const account = { username: 'roled', password: 'correct horse battery' };
    const { user } = (await server.http(null, 'POST', '/v1/auth/register', account)).body as { user: { id: string } };
    const room = await server.room('ann', 'private');
    for (const roles of [['editor'], []])
      expect(await asAdmin('PUT', `/v1/admin/users/${user.id}/roles`, { roles })).toMatchObject({ status: 200 });
    expect(await asAdmin('DELETE', `/v1/admin/rooms/${room}?dryRun=true`)).toMatchObject({ status: 200 });
    const key = { name: 'crm', scopes: ['rooms:read'] };
    const made = (await asAdmin('POST', '/v1/admin/api-keys', key)).body as { id: string; key: string };
    const reported = { reason: 'spam' };
    await server.http('badguy', 'GET', '/v1/me');
    const { id: report } = (await server.http('ann', 'POST', '/v1/users/badguy/reports', reported)).body as { id: string };
    const decision = { decision: 'ban', reason: 'a spammer' };
    expect(await asAdmin('POST', `/v1/admin/reports/${report}/resolve`, decision)).toMatchObject({ status: 200 });
    const all = (await rows()).filter(({ action }) => action !== 'access.request');
    expect(all.map(({ action, outcome, target, details }) => [action, outcome, target, details])).toEqual([
      ...[['editor'], []].flatMap((roles) => both('user.roles', { user: user.id }, { roles })),
      ...both('room.delete', { room }, { dryRun: 'true' }),
      ['key.create', 'begun', null, { scopes: ['rooms:read'] }],
      ['key.create', 'ok', null, { scopes: ['rooms:read'], id: made.id }],
      ['report.resolve', 'begun', { report }, decision],
      ['report.resolve', 'ok', { report, user: 'badguy' }, decision],
    ]);
    expect(JSON.stringify(all)).not.toContain(made.key);
  });

  it('that fail are written as failed, with the code', async () => {
    expect((await asAdmin('POST', '/v1/admin/notices', { text: '', level: 'info' })).status).toBe(400);
    expect((await rows()).map(({ outcome, details }) => [outcome, details])).toEqual([
      ['begun', { level: 'info' }],
      ['failed', { level: 'info', code: 'validation_failed' }],
    ]);
  });

  it('and refusals, through a trusted proxy, have the address of who asked, and not the proxy’s', async () => {
    const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
    const headers = { authorization, 'x-forwarded-for': '192.0.2.66, 203.0.113.7' };
    expect((await server.http(null, 'PUT', '/v1/admin/users/mallory/mute', undefined, headers)).status).toBe(204);
    expect((await server.http(null, 'GET', '/v1/admin/mutes', undefined, headers)).status).toBe(200);
    expect((await refusedUpgrade(server.wsUrl, { token: 'nonsense', headers: { 'x-forwarded-for': '203.0.113.8' } })).status).toBe(401);
    await server.get(AuditLog).flush();
    expect((await rows()).map(({ action, address }) => [action, address])).toEqual([
      ['user.mute', '203.0.113.7'],
      ['user.mute', '203.0.113.7'],
      ['mute.list', '203.0.113.7'],
      ['access.handshake', '203.0.113.8'],
    ]);
  });

  it('are not done when they cannot be written, nor is anything shown that was only read', async () => {
    await asAdmin('PUT', '/v1/admin/users/mallory/ban');
    from = Number((await rows()).at(-1)!.seq);
    await client.query('ALTER TABLE audit_head RENAME TO audit_head_away');
    try {
      expect((await asAdmin('PUT', '/v1/admin/users/eve/ban')).status).toBe(500);
      const read = await asAdmin('GET', '/v1/admin/bans');
      expect([read.status, read.text.includes('mallory')]).toEqual([500, false]);
    } finally {
      await client.query('ALTER TABLE audit_head_away RENAME TO audit_head');
    }
    expect((await server.http('eve', 'GET', '/v1/me')).status).toBe(200);
    expect(await rows()).toEqual([]);
    expect((await asAdmin('GET', '/v1/admin/bans')).text).toContain('mallory');
  });

  it('with line breaks, quotes and U+0000 in a value are one row each', async () => {
    const hostile = 'a"\r\n{"forged":1}\0\u2028';
    await asAdmin('DELETE', `/v1/admin/users/${encodeURIComponent(hostile)}/ban`);
    const written = await rows();
    expect(written).toHaveLength(2);
    expect(written[0]!.target).toEqual({ user: hostile.replace('\0', '\uFFFD') });
  });
});

describe('refusals', () => {
  it('of an admin route are written: no token, and a user’s token', async () => {
    expect((await server.http(null, 'PUT', '/v1/admin/users/u9/ban')).status).toBe(401);
    expect((await server.http('u1', 'PUT', '/v1/admin/users/u9/ban')).status).toBe(403);
    await until(async () => (await rows()).length === 2, 'both are written');
    expect((await rows()).map((row) => [row.action, row.outcome, row.actor_kind, row.actor_id, row.details])).toEqual([
      ['user.ban', 'denied', 'anonymous', null, { code: 'unauthenticated' }],
      ['user.ban', 'denied', 'user', 'u1', { code: 'forbidden' }],
    ]);
  });

  it('of an admin route have of what was sent that which the route takes', async () => {
    const sent = { user: 'another', sender: 'somebody', seq: 7 };
    expect((await server.http(null, 'PUT', '/v1/admin/users/u9/ban?room=r1&seq=7', sent)).status).toBe(401);
    expect((await server.http('u1', 'DELETE', '/v1/admin/connections?user=u9&room=r1', sent)).status).toBe(403);
    await until(async () => (await rows()).length === 2, 'both are written');
    expect((await rows()).map(({ action, target }) => [action, target])).toEqual([
      ['user.ban', { user: 'u9' }],
      ['connection.closeAll', { user: 'u9' }],
    ]);
    from += 2;
    // Let in, it is refused by its DTO, with the entries that each act has.
    expect(await asAdmin('PUT', '/v1/admin/users/u9/ban', sent)).toMatchObject({ status: 400 });
    expect((await rows()).map(({ outcome, target }) => [outcome, target])).toEqual([
      ['begun', { user: 'u9' }],
      ['failed', { user: 'u9' }],
    ]);
  });

  it('in a flood are counted, and none is lost', async () => {
    const log = server.get(AuditLog);
    const flood = Array.from({ length: 1_000 }, () =>
      log.record({
        action: 'login.password',
        outcome: 'denied',
        actor: { kind: 'anonymous', id: 'ada' },
        target: null,
        address: '192.0.2.1',
        requestId: null,
      }),
    );
    await Promise.all(flood);
    await log.flush();
    const written = await rows();
    expect(written.length).toBeLessThan(20);
    const counted = written.map(({ details }) => (details?.folded as number | undefined) ?? 1);
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(1_000);
  });

  it('of a flood from many addresses hide neither one from elsewhere, nor a user’s from among them', async () => {
    const log = server.get(AuditLog);
    const noise = (lan: number) => ({
      action: 'user.ban' as const,
      outcome: 'denied' as const,
      actor: { kind: 'anonymous' as const, id: null },
      target: { user: 'noise' },
      address: `2001:db8:7:${lan.toString(16)}::/64`,
      requestId: null,
    });
    await Promise.all(Array.from({ length: 5_000 }, (_, lan) => log.note(noise(lan))));
    const headers = { 'x-forwarded-for': '203.0.113.66' };
    expect((await server.http(null, 'PUT', '/v1/admin/users/the-target/ban', undefined, headers)).status).toBe(401);
    const among = { 'x-forwarded-for': '2001:db8:7:9::1' };
    expect((await server.http('mallory', 'PUT', '/v1/admin/users/his-target/ban', undefined, among)).status).toBe(403);
    await log.flush();
    const written = await rows();
    expect(written.length).toBeLessThan(500);
    expect(written.filter(({ target }) => target?.user === 'the-target')).toEqual([
      expect.objectContaining({ action: 'user.ban', outcome: 'denied', address: '203.0.113.66', details: { code: 'unauthenticated' } }),
    ]);
    expect(written.filter(({ actor_id }) => actor_id === 'mallory')).toEqual([
      expect.objectContaining({ actor_kind: 'user', target: { user: 'his-target' }, address: '2001:db8:7:9::/64' }),
    ]);
    const folded = written.filter(({ details }) => details?.folded !== undefined);
    expect(folded.map(({ address, details }) => [address, details])).toEqual([
      ['2001:db8:7::/48', { folded: 5_002 - (written.length - 1) }],
    ]);
  });
});

describe('the table', () => {
  it.each(['UPDATE audit_log SET actor_id = NULL', 'DELETE FROM audit_log', 'TRUNCATE audit_log'])(
    'refuses %s, from a superuser too',
    async (sql) => {
      const { rows: role } = await client.query<{ rolsuper: boolean }>('SELECT rolsuper FROM pg_roles WHERE rolname = current_user');
      expect(role).toEqual([{ rolsuper: true }]);
      await expect(client.query(sql)).rejects.toThrow('append-only');
      await expect(client.query(`SET session_replication_role = replica; ${sql}`)).rejects.toThrow('append-only');
      await client.query('SET session_replication_role = origin');
    },
  );

  it('numbers without a hole whatever writes side by side', async () => {
    const log = server.get(AuditLog);
    const others = new pg.Pool({ connectionString: server.test.databaseUrl, max: 4 });
    const entry = {
      action: 'user.ban',
      outcome: 'ok',
      actor: { kind: 'server', id: null },
      target: null,
      address: null,
      requestId: null,
    } as const;
    await Promise.all([
      ...Array.from({ length: 300 }, () => log.record(entry)),
      ...Array.from({ length: 20 }, () => others.query(`SELECT append_audit_v1('[{"action":"a.b","outcome":"ok","actorKind":"server"}]')`)),
    ]);
    await others.end();
    expect((await rows()).map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 320 }, (_, index) => from + 1 + index));
  });
});
