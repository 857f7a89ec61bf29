import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { AccessControl } from '../../src/auth/access-control.service.js';
import { MintedTokens } from '../../src/auth/minted-tokens.service.js';
import type { Principal } from '../../src/auth/principal.js';
import { POLL_CHANGES } from '../../src/changes/changes-statements.js';
import { Hub } from '../../src/realtime/hub.js';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { timed } from '../support/stopwatch.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** Two instances that only PostgreSQL joins: what one of them does reaches the other's connections all the same, within two seconds. */
describe('without a bus between the instances', () => {
  let database: TestDatabase;
  let here: ChatServer;
  let there: ChatServer;
  let admin: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase();
    here = await ChatServer.start({ DATABASE_URL: database.url });
    there = await ChatServer.start({ DATABASE_URL: database.url });
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await Promise.all([here.close(), there.close()]);
    await database.drop();
  });

  const within2s = async <T>(work: Promise<T>): Promise<T> => {
    const { result, waitedMs } = await timed(work);
    expect(waitedMs).toBeLessThan(2_000);
    return result;
  };
  const closing = (client: ChatClient) => within2s(client.closed.then(({ code }) => code));
  const user = () => `u-${randomUUID().slice(0, 8)}`;

  async function fillUp(room: string): Promise<void> {
    await admin.query(
      `INSERT INTO memberships (room_id, user_id, role) SELECT $1, 'filler-' || i, 'member' FROM generate_series(1, 300) i`,
      [room],
    );
    await admin.query('UPDATE rooms SET member_count = member_count + 300 WHERE id = $1', [room]);
  }

  it('every message comes, once and in order', async () => {
    const [ann, bob] = [user(), user()];
    const room = await here.room(ann, 'private', [bob]);
    const client = await there.connect(bob);
    await client.command('room.subscribe', { room });
    const sender = await here.connect(ann);
    for (let i = 1; i <= 50; i++) await sender.command('message.send', { room, clientId: `c${i}`, text: `${i}` });
    await within2s(client.seen(({ seq }) => seq === 50));
    expect(client.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    await Promise.all([client.close(), sender.close()]);
  });

  it('a notice reaches whom it is for, once, and again with its key it is not told again', async () => {
    const [ann, bob, eve] = [user(), user(), user()];
    const room = await here.room(ann, 'public');
    const [toBob, follower] = [await there.connect(bob), await there.connect(eve)];
    await follower.command('room.subscribe', { room });
    const authorization = `Bearer ${here.test.token('root', { roles: ['admin'] })}`;
    const notify = (body: object, key?: string) =>
      here.http(
        null,
        'POST',
        '/v1/admin/notices',
        { level: 'info', ...body },
        { authorization, ...(key !== undefined && { 'idempotency-key': key }) },
      );
    const sent = await notify({ text: 'for Bob', user: bob }, 'k1');
    expect(sent.status).toBe(202);
    expect(await notify({ text: 'for Bob', user: bob }, 'k1')).toMatchObject({ status: 202, body: sent.body });
    const conflict = { status: 409, body: { message: 'This Idempotency-Key has sent another notice.' } };
    expect(await notify({ text: 'for Eve', user: eve }, 'k1')).toMatchObject(conflict);
    expect(await notify({ text: 'x' }, 'k'.repeat(65))).toMatchObject({ status: 400, body: { details: [{ path: 'Idempotency-Key' }] } });
    await notify({ text: 'about the room', room });
    const atOnce = await Promise.all([1, 2, 3].map(() => notify({ text: 'for all' }, 'k2')));
    expect(new Set(atOnce.map(({ body }) => body.id)).size).toBe(1);
    for (const client of [toBob, follower]) await within2s(client.seen(({ event, data }) => event === 'notice' && data.text === 'for all'));
    // What is told by the changes a second later would have been told twice by now.
    await notify({ text: 'the end' });
    for (const client of [toBob, follower]) await client.seen(({ event, data }) => event === 'notice' && data.text === 'the end');
    const told = [toBob, follower].map(({ frames }) => frames.filter(({ event }) => event === 'notice').map(({ data }) => data));
    expect(told).toEqual([
      ['for Bob', 'for all', 'the end'].map((text) => ({ text, level: 'info' })),
      [
        { text: 'about the room', level: 'info', room },
        { text: 'for all', level: 'info' },
        { text: 'the end', level: 'info' },
      ],
    ]);
    await Promise.all([toBob.close(), follower.close()]);
  });

  it('a kick ends the subscription at its place, and the watch, and is told once', async () => {
    const [ann, bob] = [user(), user()];
    const room = await here.room(ann, 'private', [bob]);
    const [client, other] = [await there.connect(bob), await there.connect(bob)];
    await client.command('room.subscribe', { room });
    await client.command('presence.watch', { room });
    await here.http(ann, 'POST', `/v1/rooms/${room}/messages`, { text: 'before' }, { 'idempotency-key': 'k1' });
    await here.kick(ann, room, bob);
    await here.http(ann, 'POST', `/v1/rooms/${room}/messages`, { text: 'behind' }, { 'idempotency-key': 'k2' });
    await within2s(client.seen(({ event }) => event === 'room.closed'));
    await within2s(other.seen(({ event }) => event === 'room.removed'));
    expect(client.events(room).map(({ event }) => event)).toEqual(['message.created', 'member.left']);
    const late = await here.connect(ann);
    await admin.query('SELECT pg_sleep(1.5)');
    expect(client.frames.filter(({ event }) => event === 'presence.changed')).toEqual([]);
    for (const each of [client, other]) expect(each.frames.filter(({ event }) => event === 'room.removed')).toHaveLength(1);
    await Promise.all([client.close(), other.close(), late.close()]);
  });

  it('a silent leave of a large room ends the subscription there, and a later one stays', async () => {
    const [ann, bob] = [user(), user()];
    const room = await here.room(ann, 'public', [bob]);
    await fillUp(room);
    const [early, late] = [await there.connect(bob), await there.connect(bob)];
    await early.command('room.subscribe', { room });
    await here.http(bob, 'POST', `/v1/rooms/${room}/leave`);
    await late.command('room.subscribe', { room });
    const { data } = await within2s(early.seen(({ event }) => event === 'room.closed'));
    expect(data).toEqual({ reason: 'left' });
    await here.http(ann, 'POST', `/v1/rooms/${room}/messages`, { text: 'on' }, { 'idempotency-key': 'k1' });
    await within2s(late.seen(({ event }) => event === 'message.created'));
    expect(late.frames.some(({ event }) => event === 'room.closed')).toBe(false);
    await Promise.all([early.close(), late.close()]);
  });

  it('users are told of rooms that they were added to, that they joined elsewhere, and that are deleted', async () => {
    const [ann, bob] = [user(), user()];
    const client = await there.connect(bob);
    const made = await here.room(ann, 'private', [bob]);
    const added = (id: string) => client.seen(({ event, data }) => event === 'room.added' && data.room.id === id);
    expect((await within2s(added(made))).data).toMatchObject({ room: { type: 'private', memberCount: 2 }, role: 'member' });
    const open = await here.room(ann, 'public');
    await here.http(bob, 'POST', `/v1/rooms/${open}/join`);
    await within2s(added(open));
    await here.http(ann, 'DELETE', `/v1/rooms/${made}`);
    const removed = await within2s(client.seen(({ event }) => event === 'room.removed'));
    expect(removed).toMatchObject({ data: { room: made, reason: 'deleted' } });
    await client.close();
  });

  it('a ban closes the sockets everywhere, and its end lets in again; the two heard again change nothing', async () => {
    const name = user();
    const client = await there.connect(name);
    const access = here.get(AccessControl);
    await access.banUser(name);
    expect(await closing(client)).toBe(4203);
    await expect(there.connect(name)).rejects.toThrow('403');
    await access.unbanUser(name);
    await within2s(eventually(() => there.connect(name)).then((again) => again.close()));
    const again = await there.connect(name);
    // A ban and its end that are heard together.
    await admin.query(
      `SELECT record_act_v1(jsonb_build_object('kind', k, 'user', $1::text, 'at', $2::float8 + n))
      FROM (VALUES (1, 'user.banned'), (2, 'user.unbanned')) AS act (n, k)`,
      [name, Date.now()],
    );
    await admin.query('SELECT pg_sleep(1.5)');
    expect(again.socket.readyState).toBe(again.socket.OPEN);
    await again.close();
  });

  it('a revoked user, token or login loses his sockets and is refused; other tokens go on', async () => {
    const [name, other] = [user(), user()];
    const access = here.get(AccessControl);
    const old = await there.connect(name);
    const innocent = await there.connect(other);
    await access.revokeUser(name);
    expect(await closing(old)).toBe(4101);
    const issuedAt = Math.floor(Date.now() / 1000);
    // Of another signer, whose clock may be ahead.
    for (const iat of [issuedAt - 1, issuedAt + 2])
      await expect(there.connect(name, { token: there.signed({ sub: name, iat }) })).rejects.toThrow('401');
    const { accessToken } = await here
      .get(MintedTokens)
      .mint({ userId: 'root', issuedAt, roles: ['admin'] } as unknown as Principal, { user: name });
    const next = await there.connect(name, { token: accessToken });
    const [one, two] = await Promise.all(
      ['one', 'two'].map((jti) => there.connect(other, { token: there.signed({ sub: other, jti: `${other}-${jti}` }) })),
    );
    await access.revokeToken({ id: `${other}-one`, issuer: 'parley' }, other, new Date(Date.now() + 60_000));
    expect(await closing(one!)).toBe(4101);
    await admin.query('SELECT pg_sleep(1.1)');
    for (const client of [innocent, next, two!]) {
      expect(client.socket.readyState).toBe(client.socket.OPEN);
      await client.close();
    }
  });

  it('a restarted instance still knows what was revoked', async () => {
    const name = user();
    const token = here.signed({ sub: name, jti: `${name}-gone` });
    const issuedBefore = here.signed({ sub: `${name}-2` });
    await (await here.connect(`${name}-2`)).close();
    const [theirs, byOlderRelease] = ['theirs', 'older'].map((jti) => here.signed({ sub: name, jti: `${name}-${jti}` }));
    const revoke = (id: string, issuer: string, liveMs = 60_000) =>
      here.get(AccessControl).revokeToken({ id: `${name}-${id}`, issuer }, name, new Date(Date.now() + liveMs));
    for (const issuer of ['https://login.example', 'parley', 'parley']) await revoke('gone', issuer);
    // Another's token of the same name, which ends before.
    await revoke('gone', 'https://other.example', 0);
    await revoke('theirs', 'https://login.example');
    await admin.query(`INSERT INTO revoked_tokens (token_id, expires_at) VALUES ($1, now() + interval '1 minute')`, [`${name}-older`]);
    await revoke('older', 'https://login.example');
    await here.http(`${name}-2`, 'GET', '/v1/me');
    await here.get(AccessControl).revokeUser(`${name}-2`);
    const fresh = await ChatServer.start({ DATABASE_URL: database.url });
    for (const revoked of [token, byOlderRelease!]) await expect(fresh.connect(name, { token: revoked })).rejects.toThrow('401');
    await (await fresh.connect(name, { token: theirs! })).close();
    await expect(fresh.connect(`${name}-2`, { token: issuedBefore })).rejects.toThrow('401');
    await fresh.close();
  });

  it('who has missed changes lets all clients go, reads revocations anew, and lets them in again', async () => {
    const name = user();
    const clients = await Promise.all([there.connect(name), there.connect(name)]);
    const forgiven = [`${name}-banned`, `${name}-disabled`] as const;
    await there.get(AccessControl).banUser(forgiven[0]);
    await there.http(forgiven[1], 'GET', '/v1/me');
    await there.get(AccessControl).disableUser(forgiven[1], { userId: 'root' }, null);
    for (const one of forgiven) await expect(there.connect(one)).rejects.toThrow('403');
    // Removed before it was read: the horizon is ahead of every reader.
    await admin.query(`INSERT INTO users (id, banned_at) VALUES ($1, now())`, [`${name}-troll`]);
    await admin.query(`UPDATE users SET banned_at = NULL, disabled_at = NULL WHERE id = ANY ($1)`, [forgiven]);
    await admin.query(`UPDATE changes_horizon SET xid = pg_current_xact_id()`);
    expect(await Promise.all(clients.map(closing))).toEqual([4000, 4000]);
    await until(() => there.get(Hub).size === 0, 'all are gone');
    await (await eventually(() => there.connect(name))).close();
    await expect(there.connect(`${name}-troll`)).rejects.toThrow('403');
    for (const one of forgiven) await (await there.connect(one)).close();
  });

  it('asking what has changed costs the same with many quiet rooms', async () => {
    const buffersOfPoll = async () => {
      const { rows } = await admin.query<{ 'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number; 'Shared Read Blocks': number } }] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${POLL_CHANGES.text.replaceAll('$1', 'pg_current_snapshot()')}`,
      );
      const plan = rows[0]!['QUERY PLAN'][0].Plan;
      return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    };
    await buffersOfPoll();
    const before = await buffersOfPoll();
    await admin.query(
      `INSERT INTO rooms (id, type, epoch, created_by, last_seq) SELECT gen_random_uuid(), 'public', 'e', 'ann', 7 FROM generate_series(1, 20000)`,
    );
    expect(await buffersOfPoll()).toBeLessThanOrEqual(before + 1);
  });
});

/** Tries until it succeeds. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  let result: T | undefined;
  await until(async () => (result = await attempt().catch(() => undefined)) !== undefined, 'it succeeds');
  return result!;
}
