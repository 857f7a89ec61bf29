import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { AuditRow } from '../support/audit-row.js';
import { refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';

const ACCOUNT = { username: 'ada', password: 'correct horse battery' };
let server: ChatServer;
let client: pg.Client;
let from = 0;

beforeAll(async () => {
  server = await ChatServer.start({ LIMITS: 'on', LIMIT_REQUESTS_PER_ADDRESS: '1/200' });
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

const rows = async () => (await client.query<AuditRow>('SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq', [from])).rows;
const enter = (way: string, body: object, requestId = 'r1') =>
  server.http(null, 'POST', `/v1/auth/${way}`, body, { 'x-request-id': requestId });

/** The entries that there are once there are so many. */
async function written(count: number): Promise<AuditRow[]> {
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

describe('of requests the audit log', () => {
  const ask = (bearer: string | null, requestId: string) =>
    server.http(null, 'GET', '/v1/me', undefined, {
      'x-request-id': requestId,
      ...(bearer !== null && { authorization: `Bearer ${bearer}` }),
    });
  const shown = async (count: number) =>
    (await written(count)).map(({ action, outcome, actor_kind, actor_id, request_id, details }) => [
      [action, outcome, actor_kind, actor_id, request_id],
      details,
    ]);

  it('has tokens and keys that are false or were taken back, without them, and neither an expired one nor none', async () => {
    await server.get(AuditLog).flush(); // a new window
    const forged = server.signed({ sub: 'u1' }, {}, 'a-secret-of-somebody-else-0123456789-abcdef');
    const guessed = `pk_${randomUUID()}_${randomBytes(32).toString('base64url')}`;
    const revoked = server.test.token('u1', { jti: randomUUID() });
    await server.http(null, 'POST', '/v1/auth/revoke', { token: revoked });
    const expired = server.test.token('u1', { exp: Math.floor(Date.now() / 1000) - 10 });
    const admin = { authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}` };
    const { body } = await server.http(null, 'POST', '/v1/admin/api-keys', { name: 'Old', scopes: ['rooms:read'] }, admin);
    await client.query(`UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = $1`, [body.id]);
    from = Number((await written(2)).at(-1)!.seq);
    expect((await ask(null, 'none')).status).toBe(401);
    expect((await ask(expired, 'expired')).body).toMatchObject({ code: 'unauthenticated', message: 'The access token has expired.' });
    expect((await ask(body.key as string, 'old')).body).toMatchObject({ code: 'unauthenticated', message: 'The API key has expired.' });
    for (const [index, [bearer, id]] of [
      [forged, 'forged'] as const,
      [guessed, 'guessed'] as const,
      [revoked, 'revoked'] as const,
    ].entries()) {
      expect((await ask(bearer, id)).status).toBe(401);
      await written(index + 1);
    }
    const code = 'unauthenticated';
    const all = await shown(3);
    expect(all).toEqual([
      [['access.request', 'denied', 'anonymous', null, 'forged'], { code, credential: 'token' }],
      [['access.request', 'denied', 'anonymous', null, 'guessed'], { code, credential: 'key' }],
      [['access.request', 'denied', 'user', 'u1', 'revoked'], { code, credential: 'token' }],
    ]);
    const dump = JSON.stringify(await rows());
    expect([forged, guessed, revoked].filter((credential) => dump.includes(credential))).toEqual([]);
  });
});

describe('of sockets the audit log', () => {
  const admin = () => ({ authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}` });
  const shown = ({ action, outcome, actor_kind, actor_id, address, request_id, details }: AuditRow) => [
    [action, outcome, address, request_id],
    actor_kind === 'anonymous' ? actor_id : `${actor_kind} ${actor_id}`,
    details,
  ];
  const refused = async (requestId: string, headers: Record<string, string>, query = '') => {
    const { status, body } = await refusedUpgrade(server.wsUrl + query, { headers: { ...headers, 'x-request-id': requestId } });
    expect(body.requestId).toBe(requestId);
    return status;
  };
  const expectNewest = async (count: number, requestId: string, actor: string | null, details: object, action = 'access.handshake') =>
    expect(shown((await written(count)).at(-1)!)).toEqual([[action, 'denied', '127.0.0.1', requestId], actor, details]);

  it.each([
    ['banned', '/ban', undefined],
    ['disabled', '/disabled', { disabled: true }],
  ])('names a user who is %s, whose handshake or request is refused', async (standing, path, act) => {
    const user = `who-is-${standing}`;
    const authorization = `Bearer ${server.test.token(user)}`;
    const { body } = await server.http(user, 'POST', '/v1/auth/tickets');
    await server.http(null, 'PUT', `/v1/admin/users/${user}${path}`, act, admin());
    const message = `The user is ${standing}.`;
    expect(await refused('socket', { authorization })).toBe(403);
    await expectNewest(3, 'socket', `user ${user}`, { code: 'forbidden', message });
    expect(await refused('ticket', {}, `?ticket=${body.ticket as string}`)).toBe(403);
    await expectNewest(4, 'ticket', `user ${user}`, { code: 'forbidden', message });
    expect((await server.http(null, 'GET', '/v1/me', undefined, { authorization, 'x-request-id': 'rest' })).status).toBe(403);
    await expectNewest(5, 'rest', `user ${user}`, { code: 'forbidden' }, 'access.request');
  });

  it('has a handshake without good credentials, with the user whom they proved, and no token', async () => {
    const bad = server.signed({ sub: 'u1' }, {}, 'a-secret-of-somebody-else-0123456789-abcdef');
    const expired = server.test.token('u1', { exp: Math.floor(Date.now() / 1000) - 10 });
    const revoked = server.test.token('u1', { jti: 'gone' });
    await server.http(null, 'POST', '/v1/auth/revoke', { token: revoked });
    const code = 'unauthenticated';
    expect(await refused('none', {})).toBe(401);
    await expectNewest(1, 'none', null, { code, message: 'An access token or a ticket is needed.' });
    expect(await refused('bad', { authorization: `Bearer ${bad}` })).toBe(401);
    await expectNewest(2, 'bad', null, { code, message: 'The access token is not valid.' });
    expect(await refused('expired', {}, `?access_token=${expired}`)).toBe(401);
    await expectNewest(3, 'expired', null, { code, message: 'The access token has expired.' });
    expect(await refused('revoked', { authorization: `Bearer ${revoked}` })).toBe(401);
    await expectNewest(4, 'revoked', 'user u1', { code, message: 'The access token or API key has been revoked.' });
    const all = JSON.stringify(await rows());
    expect([bad, expired, revoked].filter((token) => all.includes(token))).toEqual([]);
  });

  it('has an Origin that is not on the list, and no handshake that is malformed or goes elsewhere', async () => {
    const authorization = `Bearer ${server.test.token('u1')}`;
    expect(await refused('elsewhere', { authorization }, '/elsewhere')).toBe(404);
    expect(await refused('malformed', { 'sec-websocket-protocol': 'bearer.x' })).toBe(400);
    expect(await refused('origin', { authorization, origin: 'https://evil.org' })).toBe(403);
    const details = { code: 'forbidden', message: 'This Origin is not allowed.', origin: 'https://evil.org' };
    await expectNewest(1, 'origin', null, details);
  });

  it('holds up no refusal while it cannot be written, and folds a storm of them', async () => {
    await server.get(AuditLog).flush(); // a new window
    await client.query('BEGIN; SELECT FROM audit_head FOR UPDATE');
    const storm = Array.from({ length: 60 }, () => refusedUpgrade(server.wsUrl, { token: 'nonsense' }));
    expect((await Promise.all(storm)).filter(({ status }) => status === 401)).toHaveLength(60);
    expect(await rows()).toEqual([]);
    await client.query('COMMIT');
    await server.get(AuditLog).flush();
    const all = await written(11);
    expect(all.at(-1)).toMatchObject({ action: 'access.handshake', address: '127.0.0.1', details: { folded: 50 } });
  });

  it('has a new token that an open socket may not have, and not what a room forbids its members', async () => {
    const ada = await server.connect('ada');
    const room = await server.room('ada', 'public', ['bob']);
    const { seq } = await ada.command('message.send', { room, clientId: '1', text: 'hi' });
    const bob = await server.connect('bob');
    await expect(bob.command('message.delete', { room, seq })).rejects.toMatchObject({ code: 'forbidden' });
    expect((await server.http('bob', 'DELETE', `/v1/rooms/${room}/messages/${seq as number}`)).status).toBe(403);
    await expect(bob.command('auth.refresh', { token: 'nonsense' })).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(bob.command('auth.refresh', { token: server.test.token('ada') })).rejects.toMatchObject({ code: 'forbidden' });
    const connection = bob.frames[0]!.data.connectionId as string;
    const common = {
      action: 'access.renewal',
      outcome: 'denied',
      actor_kind: 'user',
      actor_id: 'bob',
      address: '127.0.0.1',
      request_id: null,
    };
    expect(await written(2)).toEqual([
      expect.objectContaining({ ...common, target: { connection }, details: { code: 'unauthenticated', message: expect.any(String) } }),
      expect.objectContaining({
        ...common,
        target: { connection, user: 'ada' },
        details: { code: 'forbidden', message: expect.any(String) },
      }),
    ]);
    await Promise.all([ada.close(), bob.close()]);
  });
});

// The last, since it uses up what its address may ask.
it('the audit log counts those who guess keys on and on, also when they are told to wait', async () => {
  await server.get(AuditLog).flush(); // a new window
  const guess = () => server.http(null, 'GET', '/v1/me', undefined, { authorization: `Bearer pk_${randomUUID()}_${'x'.repeat(43)}` });
  const answers = await Promise.all(Array.from({ length: 300 }, guess));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 429]));
  await server.get(AuditLog).flush();
  const all = await rows();
  expect(new Set(all.map(({ action, outcome, address }) => `${action} ${outcome} ${address}`))).toEqual(
    new Set(['access.request denied 127.0.0.1']),
  );
  expect(all.length).toBeLessThan(100);
  expect(all.reduce((sum, { details }) => sum + ((details!.folded as number | undefined) ?? 1), 0)).toBe(300);
});
