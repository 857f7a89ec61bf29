import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LOGIN_LIMITS } from '../../src/auth/login-limits.js';
import { ChatClient } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';

interface Pass {
  accessToken: string;
  expiresIn: number;
  user: { id: string; name: string | null };
}

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start({ GUESTS: 'on', GUEST_TOKEN_SECONDS: '120' });
});
afterAll(() => server.close());

const enter = async (body?: object): Promise<Pass> => {
  const answer = await server.http(null, 'POST', '/v1/auth/guest', body);
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([201, 'no-store']);
  return answer.body as Pass;
};
const as = ({ accessToken }: Pass, method: string, path: string, body?: unknown, headers = {}): Promise<HttpAnswer> =>
  server.http(null, method, path, body, { authorization: `Bearer ${accessToken}`, ...headers });

describe('a guest', () => {
  it('is a new user for a while, with a name or without', async () => {
    const [one, two] = [await enter({ name: 'Visitor' }), await enter()];
    expect(one).toEqual({
      accessToken: expect.any(String),
      expiresIn: 120,
      user: { id: expect.stringMatching(/^guest:[\da-f-]{36}$/), username: null, name: 'Visitor', createdAt: expect.any(String) },
    });
    expect([two.user.name, two.user.id === one.user.id]).toEqual([null, false]);
    expect((await as(one, 'GET', '/v1/me')).body).toMatchObject({ id: one.user.id, roles: ['guest'] });
    const client = await ChatClient.connect(server.wsUrl, { token: one.accessToken });
    expect(new Date(client.frames[0]!.data.expiresAt as string).getTime() - Date.now()).toBeLessThanOrEqual(120_000);
    await client.close();
  });

  it('joins and sends in public rooms, and knows of no private one', async () => {
    const guest = await enter();
    const room = await server.room('ann', 'public');
    expect((await as(guest, 'POST', `/v1/rooms/${room}/messages`, { text: 'hi' }, { 'idempotency-key': 'a' })).status).toBe(403);
    expect((await as(guest, 'POST', `/v1/rooms/${room}/join`)).status).toBe(200);
    expect((await as(guest, 'POST', `/v1/rooms/${room}/messages`, { text: 'hi' }, { 'idempotency-key': 'b' })).status).toBe(201);
    expect((await as(guest, 'GET', `/v1/rooms/${await server.room('ann', 'private')}`)).status).toBe(404);
  });

  it('makes no room, of whatever type', async () => {
    const guest = await enter();
    for (const draft of [{ type: 'public' }, { type: 'private' }, { type: 'direct', members: ['ann'] }]) {
      const { status, body } = await as(guest, 'POST', '/v1/rooms', draft);
      expect([status, body.code]).toEqual([403, 'forbidden']);
    }
  });

  it('cannot be made an owner or moderator, but a member', async () => {
    const { user } = await enter();
    const room = await server.room('ann', 'private');
    const path = `/v1/rooms/${room}/members/${encodeURIComponent(user.id)}`;
    const statuses: number[] = [];
    for (const role of ['owner', 'moderator', 'member', 'moderator'])
      statuses.push((await server.http('ann', 'PUT', path, { role })).status);
    expect(statuses).toEqual([403, 403, 200, 403]);
  });

  it('is whom this server calls so: a backend that has the secret signs no token for a guest, and mints none', async () => {
    const { user } = await enter();
    for (const id of [user.id, 'guest:x', 'bot:x']) {
      const forged = await server.http(null, 'GET', '/v1/me', undefined, { authorization: `Bearer ${server.signed({ sub: id })}` });
      expect([forged.status, forged.body]).toEqual([
        401,
        expect.objectContaining({ message: expect.stringContaining('bot:… and guest:…') }),
      ]);
      const authorization = `Bearer ${server.signed({ roles: ['admin'] })}`;
      const minted = await server.http(null, 'POST', '/v1/admin/tokens', { user: id }, { authorization });
      expect([minted.status, minted.body.details]).toEqual([400, [{ path: 'user', message: 'must not begin with bot: or guest:' }]]);
    }
  });

  it('has no refresh token, and no administrator’s rights', async () => {
    const guest = await enter();
    expect((await server.http(null, 'POST', '/v1/auth/refresh', { refreshToken: guest.accessToken })).status).toBe(401);
    expect((await as(guest, 'POST', '/v1/admin/notices', { text: 'hi', level: 'info' })).status).toBe(403);
  });
});

describe('guests', () => {
  it('are not there unless they are turned on', async () => {
    const closed = await ChatServer.start();
    const answers = [await closed.http(null, 'POST', '/v1/auth/guest'), await closed.http(null, 'POST', '/v1/auth/guest', { name: 7 })];
    expect(answers.map(({ status, body }) => [status, (body as { code: string }).code])).toEqual(Array(2).fill([404, 'not_found']));
    await closed.close();
  });

  it('are limited by address', async () => {
    const limited = await ChatServer.start({ GUESTS: 'on', LIMITS: 'on' });
    const { quota } = LOGIN_LIMITS.guest;
    const statuses: number[] = [];
    for (let i = 0; i <= quota; i++) statuses.push((await limited.http(null, 'POST', '/v1/auth/guest')).status);
    expect([statuses.slice(0, quota).every((status) => status === 201), statuses[quota]]).toEqual([true, 429]);
    await limited.close();
  });
});
