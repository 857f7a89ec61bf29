import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { AccessControl } from '../../src/auth/access-control.service.js';
import { ChatServer, type HttpAnswer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** Two instances that only PostgreSQL joins. */
let database: TestDatabase;
let here: ChatServer;
let there: ChatServer;
let sql: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  here = await ChatServer.start({ DATABASE_URL: database.url });
  there = await ChatServer.start({ DATABASE_URL: database.url });
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await Promise.all([here.close(), there.close()]);
  await database.drop();
});

const name = () => `u-${randomUUID().slice(0, 8)}`;
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const post = (server: ChatServer, user: string, room: string, key: string = randomUUID()): Promise<HttpAnswer> =>
  server.http(user, 'POST', `/v1/rooms/${room}/messages`, { text: 'hi' }, { 'idempotency-key': key });
const asAdmin = (method: string, path: string, body?: object): Promise<HttpAnswer> =>
  here.http(null, method, path, body, { authorization: `Bearer ${here.test.token('root', { roles: ['admin'] })}` });

/** What was sent before is still a duplicate, all that says something is refused in words that say until when, and all else goes on. */
async function expectSilence(server: ChatServer, user: string, room: string, seq: number, key: string, words: string): Promise<void> {
  const client = await server.connect(user);
  await client.command('room.subscribe', { room });
  expect((await post(server, user, room, key)).status).toBe(200);
  const refused = { code: 'forbidden', message: `forbidden: ${words}` };
  const said: [string, object][] = [
    ['message.send', { room, clientId: randomUUID(), text: 'hi' }],
    ['message.edit', { room, seq, text: 'other' }],
    ['typing.start', { room }],
  ];
  for (const [event, data] of said) await expect(client.command(event, data)).rejects.toMatchObject(refused);
  expect(await client.command('message.send', { room, clientId: key, text: 'hi' })).toMatchObject({ seq, duplicate: true });
  expect(await client.command('message.edit', { room, seq, text: 'hi' })).toMatchObject({ version: 1 });
  await client.command('history.get', { room });
  await client.command('read.set', { room, seq });
  await client.close();
}

describe('a mute in a room', () => {
  it('holds on every instance at once, over leaving and joining, until it is lifted', async () => {
    const [ann, bob] = [name(), name()];
    const room = await here.room(ann, 'public', [bob]);
    const { seq } = (await post(here, bob, room, 'k')).body as { seq: number };
    const end = inAnHour();
    const muted = await here.http(ann, 'PUT', `/v1/rooms/${room}/mutes/${bob}`, { until: end, reason: 'Spam' });
    expect([muted.status, muted.body]).toEqual([
      200,
      { user: bob, by: ann, reason: 'Spam', until: end, createdAt: expect.any(String) as unknown },
    ]);
    for (const server of [here, there]) await expectSilence(server, bob, room, seq, 'k', `You are muted in this room until ${end}.`);
    await there.http(bob, 'POST', `/v1/rooms/${room}/leave`);
    expect((await post(there, bob, room)).body).toMatchObject({ message: 'Only members of the room may do this.' });
    await there.http(bob, 'POST', `/v1/rooms/${room}/join`);
    expect((await post(there, bob, room)).status).toBe(403);
    expect((await post(here, ann, room)).status).toBe(201);
    expect((await here.http(ann, 'DELETE', `/v1/rooms/${room}/mutes/${bob}`)).status).toBe(204);
    expect((await here.http(ann, 'DELETE', `/v1/rooms/${room}/mutes/${bob}`)).status).toBe(204);
    expect((await post(there, bob, room)).status).toBe(201);
  });

  it('ends by itself, and is another one when it is set again', async () => {
    const [ann, bob] = [name(), name()];
    const room = await here.room(ann, 'private', [bob]);
    const first = await here.http(ann, 'PUT', `/v1/rooms/${room}/mutes/${bob}`);
    const again = await here.http(ann, 'PUT', `/v1/rooms/${room}/mutes/${bob}`, { until: inAnHour() });
    expect((again.body as { createdAt: string }).createdAt).toBe((first.body as { createdAt: string }).createdAt);
    await sql.query(
      `UPDATE room_mutes SET until = now() - interval '1 second', created_at = now() - interval '1 hour' WHERE user_id = $1`,
      [bob],
    );
    expect((await post(here, bob, room)).status).toBe(201);
    const client = await here.connect(bob);
    await client.command('typing.start', { room });
    await client.close();
    expect((await here.http(ann, 'GET', `/v1/rooms/${room}/mutes`)).body).toEqual({ items: [], nextCursor: null });
    const third = await here.http(ann, 'PUT', `/v1/rooms/${room}/mutes/${bob}`);
    expect(Date.parse((third.body as { createdAt: string }).createdAt)).toBeGreaterThan(Date.now() - 60_000);
  });

  it('is for those who may moderate whom it is about', async () => {
    const [ann, mo, bob] = [name(), name(), name()];
    const room = await here.room(ann, 'public', [bob]);
    await here.http(ann, 'PUT', `/v1/rooms/${room}/members/${mo}`, { role: 'moderator' });
    const mute = async (by: string, user: string) => (await here.http(by, 'PUT', `/v1/rooms/${room}/mutes/${user}`)).status;
    expect(await mute(bob, ann)).toBe(403);
    expect(await mute(mo, ann)).toBe(403);
    expect(await mute(mo, mo)).toBe(403);
    expect(await mute(mo, bob)).toBe(200);
    expect(await mute(mo, 'not-yet-a-member')).toBe(200);
    expect(await mute(ann, mo)).toBe(200);
    expect((await here.http(bob, 'GET', `/v1/rooms/${room}/mutes`)).status).toBe(403);
    const { body } = await here.http(ann, 'GET', `/v1/rooms/${room}/mutes`);
    expect((body as { items: { user: string }[] }).items.map(({ user }) => user)).toEqual([bob, mo, 'not-yet-a-member'].sort());
  });

  it('cannot end in the past', async () => {
    const room = await here.room('ann', 'public');
    const { status, body } = await here.http('ann', 'PUT', `/v1/rooms/${room}/mutes/bob`, { until: '2020-01-01T00:00:00Z' });
    expect([status, body]).toMatchObject([400, { details: [{ path: 'until', message: 'must be in the future' }] }]);
  });
});

describe('a mute on the whole server', () => {
  it('holds on every instance, and after a start, until it is lifted', async () => {
    const [ann, bob] = [name(), name()];
    const room = await here.room(ann, 'private', [bob]);
    const { seq } = (await post(here, bob, room, 'k')).body as { seq: number };
    const end = inAnHour();
    expect((await asAdmin('PUT', `/v1/admin/users/${bob}/mute`, { until: end, reason: 'Spam' })).status).toBe(204);
    expect((await post(here, bob, room)).status).toBe(403);
    await until(async () => (await post(there, bob, room)).status === 403, 'the other instance knows');
    for (const server of [here, there]) await expectSilence(server, bob, room, seq, 'k', `You are muted until ${end}.`);
    const late = await ChatServer.start({ DATABASE_URL: database.url });
    expect((await post(late, bob, room)).status).toBe(403);
    await late.close();
    expect((await asAdmin('DELETE', `/v1/admin/users/${bob}/mute`)).status).toBe(204);
    await until(async () => (await post(there, bob, room)).status === 201, 'the other instance knows');
  });

  it('ends by itself', async () => {
    const [ann, bob] = [name(), name()];
    const room = await here.room(ann, 'private', [bob]);
    await here.get(AccessControl).muteUser(bob, { until: new Date(Date.now() + 1_500) });
    expect((await post(here, bob, room)).status).toBe(403);
    await until(async () => (await post(here, bob, room)).status === 201, 'he may send again');
  });

  it('holds for what a room is called and is about, in old rooms and in new ones', async () => {
    const [ann, bob] = [name(), name()];
    const room = await here.room(bob, 'public', [ann]);
    const make = (draft: object, key: string = randomUUID()) => here.http(bob, 'POST', '/v1/rooms', draft, { 'idempotency-key': key });
    expect((await make({ type: 'public', name: 'before' }, 'k')).status).toBe(201);
    await here.get(AccessControl).muteUser(bob);
    for (const said of [{ name: 'spam' }, { topic: 'spam' }, { meta: { text: 'spam' } }]) {
      const refused = { status: 403, body: { message: 'You are muted.' } };
      expect(await here.http(bob, 'PATCH', `/v1/rooms/${room}`, said)).toMatchObject(refused);
      expect(await make({ type: 'public', ...said })).toMatchObject(refused);
    }
    expect((await make({ type: 'direct', members: [ann], name: 'spam' })).status).toBe(403);
    // What says nothing goes on, a retry is answered as before, and an administrator names rooms, muted or not.
    expect((await make({ type: 'public', name: 'before' }, 'k')).status).toBe(200);
    expect((await make({ type: 'direct', members: [ann] })).status).toBe(201);
    expect((await here.http(bob, 'PATCH', `/v1/rooms/${room}`, { archived: true })).status).toBe(200);
    await here.http(bob, 'PATCH', `/v1/rooms/${room}`, { archived: false });
    await here.get(AccessControl).muteUser('root');
    expect((await asAdmin('PATCH', `/v1/admin/rooms/${room}`, { name: 'Clean' })).status).toBe(200);
    await here.get(AccessControl).unmuteUser('root');
    const muted = await here.http(bob, 'PUT', `/v1/rooms/${room}/mutes/${ann}`);
    await here.http(bob, 'PUT', `/v1/rooms/${room}/members/${ann}`, { role: 'moderator' });
    expect([muted.status, (await here.http(ann, 'PATCH', `/v1/rooms/${room}`, { topic: 'spam' })).body.message]).toEqual([
      200,
      'You are muted in this room.',
    ]);
  });

  it('says no more to a stranger than strangers hear', async () => {
    const [ann, bob] = [name(), name()];
    const room = await here.room(ann, 'private');
    await here.get(AccessControl).muteUser(bob);
    expect((await post(here, bob, room)).status).toBe(404);
  });
});

describe('a ban that ends', () => {
  it('from the server lets in again, on every instance, without anybody lifting it', async () => {
    const bob = name();
    const client = await there.connect(bob);
    const end = new Date(Date.now() + 3_000);
    expect((await asAdmin('PUT', `/v1/admin/users/${bob}/ban`, { until: end.toISOString() })).status).toBe(204);
    expect((await client.closed).code).toBe(4203);
    expect((await here.http(bob, 'GET', '/v1/me')).status).toBe(403);
    for (const server of [here, there]) {
      await until(async () => (await server.http(bob, 'GET', '/v1/me')).status === 200, 'he is let in again');
    }
    expect(Date.now()).toBeGreaterThanOrEqual(end.getTime());
  });

  it('from the server is over for a login too', async () => {
    const account = { username: name(), password: 'correct horse battery staple' };
    const { body } = await here.http(null, 'POST', '/v1/auth/register', account);
    const { user, refreshToken } = body as { user: { id: string }; refreshToken: string };
    await here.get(AccessControl).banUser(user.id, { until: new Date(Date.now() + 3_600_000) });
    expect((await here.http(null, 'POST', '/v1/auth/login', account)).status).toBe(403);
    expect((await here.http(null, 'POST', '/v1/auth/refresh', { refreshToken })).status).toBe(403);
    await sql.query(`UPDATE users SET banned_until = now() - interval '1 second' WHERE id = $1`, [user.id]);
    expect((await here.http(null, 'POST', '/v1/auth/login', account)).status).toBe(200);
    expect((await here.http(null, 'POST', '/v1/auth/refresh', { refreshToken })).status).toBe(200);
  });

  it('from a room is none to reading, following, finding, joining and being added', async () => {
    const [ann, bob, eve] = [name(), name(), name()];
    const room = await here.room(ann, 'public', [bob]);
    for (const user of [bob, eve]) await here.http(ann, 'PUT', `/v1/rooms/${room}/bans/${user}`, { until: inAnHour() });
    const client = await here.connect(bob);
    const reads = ['', '/members', '/messages', '/events'].map((path) => `/v1/rooms/${room}${path}`);
    const statuses = () => Promise.all(reads.map(async (path) => (await here.http(bob, 'GET', path)).status));
    const finds = async () => JSON.stringify((await here.http(bob, 'GET', '/v1/rooms?limit=200')).body).includes(room);
    expect(await statuses()).toEqual(reads.map(() => 403));
    expect(await finds()).toBe(false);
    await expect(client.command('room.subscribe', { room })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(client.command('room.join', { room })).rejects.toMatchObject({ code: 'forbidden' });
    await sql.query(`UPDATE room_bans SET until = now() - interval '1 second' WHERE room_id = $1`, [room]);
    expect(await statuses()).toEqual(reads.map(() => 200));
    expect(await finds()).toBe(true);
    expect((await here.http(ann, 'GET', `/v1/rooms/${room}/bans`)).body).toEqual({ items: [], nextCursor: null });
    await client.command('room.subscribe', { room });
    expect(await client.command('room.join', { room })).toEqual({ role: 'member' });
    expect((await here.http(ann, 'PUT', `/v1/rooms/${room}/members/${eve}`, { role: 'member' })).status).toBe(200);
    await client.close();
  });
});

describe('the lists of all bans and mutes', () => {
  it.each(['bans', 'mutes'] as const)('%s: of the server and of rooms, by pages, by user, room and whether they hold', async (kind) => {
    const [ann, bob, eve] = [name(), `${name()}-a`, `${name()}-b`];
    const one = kind.slice(0, -1);
    const room = await here.room(ann, 'public');
    const end = inAnHour();
    await asAdmin('PUT', `/v1/admin/users/${bob}/${one}`, { reason: 'Spam', until: end });
    for (const user of [bob, eve]) await here.http(ann, 'PUT', `/v1/rooms/${room}/${kind}/${user}`);
    const items = async (query: string) =>
      ((await asAdmin('GET', `/v1/admin/${kind}?${query}`)).body as { items: { user: string; room: string | null }[] }).items;
    expect(await items(`user=${bob}`)).toMatchObject([
      { user: bob, room: null, by: 'root', reason: 'Spam', until: end, active: true },
      { user: bob, room, by: ann, reason: null, until: null, active: true },
    ]);
    expect((await items(`room=${room}`)).map(({ user }) => user)).toEqual([bob, eve].sort());
    await sql.query(`UPDATE room_${kind} SET until = now() - interval '1 second' WHERE user_id = $1`, [eve]);
    expect(await items(`room=${room}&active=false`)).toMatchObject([{ user: eve, active: false }]);
    expect(await items(`room=${room}&active=true`)).toMatchObject([{ user: bob, active: true }]);

    const whole = await items('limit=200');
    const paged: object[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await asAdmin('GET', `/v1/admin/${kind}?limit=1${cursor && `&cursor=${cursor}`}`);
      const page = body as { items: object[]; nextCursor: string | null };
      paged.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(whole.length).toBeGreaterThanOrEqual(3);
    expect(paged).toEqual(whole);
    expect((await here.http(ann, 'GET', `/v1/admin/${kind}`)).status).toBe(403);
  });
});
