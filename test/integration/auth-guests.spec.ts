import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LOGIN_LIMITS } from '../../src/auth/login-limits.js';
import pg from 'pg';
import { DepartedGuests } from '../../src/rooms/departed-guests.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { until } from '../support/until.js';

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
  it('are not there unless they are turned on, and those of before are let in by nothing', async () => {
    const guest = await enter();
    const room = await server.room('ann', 'public');
    const { ticket } = (await as(guest, 'POST', '/v1/auth/tickets')).body as { ticket: string };
    const closed = await ChatServer.start({ DATABASE_URL: server.test.databaseUrl });
    try {
      const answers = [await closed.http(null, 'POST', '/v1/auth/guest'), await closed.http(null, 'POST', '/v1/auth/guest', { name: 7 })];
      expect(answers.map(({ status, body }) => [status, (body as { code: string }).code])).toEqual(Array(2).fill([404, 'not_found']));
      const authorization = `Bearer ${guest.accessToken}`;
      const { status, body } = await closed.http(null, 'POST', `/v1/rooms/${room}/join`, undefined, { authorization });
      expect([status, body.code, body.message]).toEqual([401, 'unauthenticated', 'Guests are not let in on this server.']);
      expect((await refusedUpgrade(closed.wsUrl, { token: guest.accessToken })).status).toBe(401);
      expect((await refusedUpgrade(`${closed.wsUrl}?ticket=${ticket}`)).status).toBe(401);
      expect((await as(guest, 'GET', '/v1/me')).status).toBe(200);
    } finally {
      await closed.close();
    }
  });

  it('are limited: by address in their number, and each in what he does, to less than others', async () => {
    const limited = await ChatServer.start({ GUESTS: 'on', LIMITS: 'on', LIMIT_COMMANDS_PER_GUEST: '1/5' });
    const { quota } = LOGIN_LIMITS.guest;
    const entered: HttpAnswer[] = [];
    for (let i = 0; i <= quota; i++) entered.push(await limited.http(null, 'POST', '/v1/auth/guest'));
    const statuses = entered.map(({ status }) => status);
    expect([statuses.slice(0, quota).every((status) => status === 201), statuses[quota]]).toEqual([true, 429]);

    const [one, other] = entered.map(({ body }) => body as Pass) as [Pass, Pass];
    const me = ({ accessToken }: Pass) => limited.http(null, 'GET', '/v1/me', undefined, { authorization: `Bearer ${accessToken}` });
    expect((await me(one)).headers.get('ratelimit-policy')).toBe('"user";q=5;w=5');
    expect((await limited.http('ann', 'GET', '/v1/me')).headers.get('ratelimit-policy')).toBe('"user";q=500;w=10');
    await until(async () => (await me(one)).status === 429, 'his burst is used up');
    const client = await ChatClient.connect(limited.wsUrl, { token: other.accessToken });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        client.command('ping', {}).then(
          () => 'ack',
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect([answers[0], answers.at(-1)]).toEqual(['ack', 'rate_limited']);
    await client.close();
    await limited.close();
  });

  describe('who cannot come back', () => {
    let database: pg.Client;
    let room: string;
    beforeAll(async () => {
      database = new pg.Client({ connectionString: server.test.databaseUrl });
      await database.connect();
      room = await server.room('ann', 'public');
    });
    afterAll(() => database.end());

    const join = (guest: Pass) => as(guest, 'POST', `/v1/rooms/${room}/join`);
    const send = (guest: Pass) => as(guest, 'POST', `/v1/rooms/${room}/messages`, { text: 'hi' }, { 'idempotency-key': 'x' });
    const age = (guests: Pass[], hours: number) =>
      database.query(`UPDATE users SET created_at = clock_timestamp() - $2 * interval '1 hour' WHERE id = ANY ($1)`, [
        guests.map(({ user }) => user.id),
        hours,
      ]);
    const known = async (guests: Pass[]) => {
      const ids = guests.map(({ user }) => encodeURIComponent(user.id)).join(',');
      return ((await server.http('ann', 'GET', `/v1/users?ids=${ids}`)).body.items as { name: string }[]).map(({ name }) => name);
    };
    const members = async () =>
      ((await server.http('ann', 'GET', `/v1/rooms/${room}/members`)).body.items as { user: string }[]).map(({ user }) => user);

    it('leave their rooms, and are forgotten, but for those whose messages are there and those whom somebody decided about', async () => {
      const names = ['silent', 'speaker', 'deleter', 'gone before', 'banned', 'reported', 'roomless', 'here'];
      const guests: Pass[] = [];
      for (const name of names) guests.push(await enter({ name }));
      const [silent, speaker, deleter, goneBefore, banned, reported, , here] = guests as [Pass, Pass, Pass, Pass, Pass, Pass, Pass, Pass];
      for (const guest of [silent, speaker, deleter, goneBefore, banned, here]) await join(guest);
      for (const guest of [speaker, deleter, goneBefore]) await send(guest);
      const { seq } = (await send(deleter)).body as { seq: number };
      expect((await as(deleter, 'DELETE', `/v1/rooms/${room}/messages/${seq}`)).status).toBe(200);
      expect((await as(goneBefore, 'POST', `/v1/rooms/${room}/leave`)).status).toBe(204);
      const direct = await server.room('ann', 'direct', [silent.user.id]);
      const authorization = `Bearer ${server.test.token('root', { roles: ['admin'] })}`;
      await server.http(null, 'PUT', `/v1/admin/users/${encodeURIComponent(banned.user.id)}/ban`, {}, { authorization });
      await server.http('ann', 'POST', `/v1/users/${encodeURIComponent(reported.user.id)}/reports`, { reason: 'spam' });
      await database.query(`INSERT INTO users (id, name, created_at) VALUES ('guest:of-somebody-else', 'theirs', '2020-01-01')`);
      const sweep = () => server.get(DepartedGuests).sweep();

      await age(guests, 24);
      await sweep();
      expect(await known(guests)).toEqual(names);
      expect(await members()).toContain(silent.user.id);

      await age(
        guests.filter((guest) => guest !== here),
        26,
      );
      await Promise.all([sweep(), sweep()]);
      expect(await members()).toEqual(['ann', here.user.id]);
      expect(await known(guests)).toEqual(['silent', 'speaker', 'deleter', 'gone before', 'banned', 'reported', 'here']);
      expect((await database.query(`SELECT FROM users WHERE id = 'guest:of-somebody-else'`)).rowCount).toBe(1);
      const { body } = await server.http('ann', 'GET', `/v1/rooms/${room}/events?after=0&limit=500`);
      const left = (body.events as { event: string; data: { user: string; by: string } }[]).filter(({ event }) => event === 'member.left');
      expect(left.map(({ data }) => [data.user, data.by])).toEqual(
        [goneBefore, silent, speaker, deleter, banned].map(({ user }) => [user.id, user.id]),
      );
      expect((await server.http('ann', 'GET', `/v1/rooms/${direct}/members`)).body.items).toHaveLength(2);
    });
  });
});
