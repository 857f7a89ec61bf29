import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { AdministratorClient } from '../support/administrator.js';
import { ChatServer } from '../support/chat-server.js';

describe('rooms, by an administrator who is a member of none', () => {
  let server: ChatServer;
  let root: AdministratorClient;
  let database: pg.Client;
  beforeAll(async () => {
    server = await ChatServer.start();
    root = new AdministratorClient(server);
    database = new pg.Client({ connectionString: server.test.databaseUrl });
    await database.connect();
  });
  afterAll(async () => {
    await database.end();
    await server.close();
  });

  const idsOf = async (query: string) => ((await root.all(`/rooms?${query}`, 2)) as { id: string }[]).map(({ id }) => id);

  it('are listed and searched, private and direct ones too', async () => {
    const made = [
      await server.room('list-a', 'public', ['list-b']),
      await server.room('list-a', 'private'),
      await server.room('list-b', 'direct', ['list-c']),
    ];
    await root.done('PATCH', `/rooms/${made[0]!}`, { name: '50%_Off' });
    await root.done('PATCH', `/rooms/${made[1]!}`, { name: '50x Off', archived: true });
    expect((await idsOf('')).filter((id) => made.includes(id))).toEqual([...made].reverse());
    expect(await idsOf('member=list-b')).toEqual([made[2], made[0]]);
    expect(await idsOf('member=list-b&type=direct')).toEqual([made[2]]);
    expect(await idsOf('q=50%25_o')).toEqual([made[0]]);
    expect(await idsOf('q=50')).toEqual([made[1], made[0]]);
    expect(await idsOf('q=50&archived=true')).toEqual([made[1]]);
    expect(await idsOf('q=oFF')).toEqual([made[1], made[0]]);
    expect(await idsOf('q=off50')).toEqual([]);
  });

  it('are changed with the events that an owner would make, by the administrator', async () => {
    const room = await server.room('ann', 'private', ['ben']);
    const client = await server.connect('ben');
    await client.command('room.subscribe', { room });
    expect(await root.done('PATCH', `/rooms/${room}`, { name: 'Renamed' })).toMatchObject({ name: 'Renamed', headSeq: 1 });
    await root.done('PATCH', `/rooms/${room}`, { name: 'Renamed' });
    await root.done('PUT', `/rooms/${room}/members/zoe`, { role: 'owner' });
    await root.done('PUT', `/rooms/${room}/members/ben`, { role: 'moderator' });
    await root.done('DELETE', `/rooms/${room}/members/ann?reason=Gone`);
    await client.seen(({ event }) => event === 'member.left');
    expect(client.events(room).map(({ event, seq, data }) => [event, seq, data.user, data.by])).toEqual([
      ['room.updated', 1, undefined, undefined],
      ['member.joined', 2, 'zoe', 'root'],
      ['member.updated', 3, 'ben', 'root'],
      ['member.left', 4, 'ann', 'root'],
    ]);
    expect((await root.all(`/rooms/${room}/members`, 1)).map(({ user, role }: { user: string; role: string }) => [user, role])).toEqual([
      ['ben', 'moderator'],
      ['zoe', 'owner'],
    ]);
    await root.done('PATCH', `/rooms/${room}`, { archived: true });
    expect(await client.seen(({ event }) => event === 'room.closed')).toMatchObject({ data: { reason: 'archived' } });
    expect(await root.done('PATCH', `/rooms/${room}`, { archived: false })).toMatchObject({ archivedAt: null });
    // To users the administrator is a stranger as before.
    expect((await server.http('root', 'GET', `/v1/rooms/${room}`)).status).toBe(404);
    await client.close();
  });

  it('keep their last owner, and direct rooms their members', async () => {
    const room = await server.room('ann', 'public');
    expect((await root.ask('DELETE', `/rooms/${room}/members/ann`)).status).toBe(409);
    const direct = await server.room('ann', 'direct', ['ben']);
    expect((await root.ask('PUT', `/rooms/${direct}/members/zoe`, { role: 'member' })).status).toBe(403);
    expect((await root.ask('DELETE', `/rooms/${direct}/members/ben`)).status).toBe(403);
    expect(await root.done('PATCH', `/rooms/${direct}`, { archived: true })).toMatchObject({ archivedAt: expect.any(String) });
  });

  it('an administrator who was banned from a room acts in it all the same', async () => {
    const room = await server.room('ann', 'private');
    await server.http('ann', 'PUT', `/v1/rooms/${room}/bans/root`, {});
    expect(await root.done('PATCH', `/rooms/${room}`, { topic: 'Seen' })).toMatchObject({ topic: 'Seen' });
    expect(await root.done('GET', `/rooms/${room}/members`)).toMatchObject({ items: [{ user: 'ann' }] });
  });

  it('are deleted with everything that a dry run said, and a dry run does nothing', async () => {
    const room = await server.room('ann', 'private', ['ben', 'eve']);
    for (let i = 1; i <= 3; i++)
      await server.http('ann', 'POST', `/v1/rooms/${room}/messages`, { text: 'x' }, { 'idempotency-key': `k${i}` });
    await server.http('ann', 'PATCH', `/v1/rooms/${room}/messages/1`, { text: 'y' });
    await server.http('ann', 'PUT', `/v1/rooms/${room}/bans/eve`, {});
    const client = await server.connect('ben');
    await client.command('room.subscribe', { room });
    const going = { members: 2, messages: 3, bans: 1 };
    expect(await root.done('DELETE', `/rooms/${room}?dryRun=true`)).toMatchObject({ dryRun: true, ...going, room: { id: room } });
    expect((await server.http('ben', 'GET', `/v1/rooms/${room}`)).status).toBe(200);
    expect(client.events(room)).toEqual([]);
    expect(await root.done('DELETE', `/rooms/${room}`)).toMatchObject({ dryRun: false, ...going });
    expect(await client.seen(({ event }) => event === 'room.closed')).toMatchObject({ data: { reason: 'deleted' } });
    expect(await idsOf('member=ben&type=private')).not.toContain(room);
    await client.close();
  });

  it('bans and mutes in a room are set and lifted by the administrator, whoever set them', async () => {
    const room = await server.room('ann', 'private', ['ben', 'mod']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/members/mod`, { role: 'moderator' });
    const [ben, ann] = [await server.connect('ben'), await server.connect('ann')];
    await Promise.all([ben.command('room.subscribe', { room }), ann.command('room.subscribe', { room })]);
    const until = '2099-01-01T00:00:00.000Z';
    expect(await root.done('PUT', `/rooms/${room}/bans/ben`, { reason: 'Spam', until })).toMatchObject({
      ...{ user: 'ben', by: 'root', reason: 'Spam', until },
    });
    expect(await ben.seen(({ event }) => event === 'room.closed')).toMatchObject({ data: { reason: 'banned' } });
    expect(await ann.seen(({ event }) => event === 'member.left')).toMatchObject({ data: { user: 'ben', by: 'root', reason: 'Spam' } });
    expect(await root.done('GET', `/bans?room=${room}`)).toMatchObject({
      items: [{ user: 'ben', room, by: 'root', reason: 'Spam', until }],
    });
    expect((await server.http('ann', 'PUT', `/v1/rooms/${room}/members/ben`, { role: 'member' })).status).toBe(403);
    expect(await root.done('DELETE', `/rooms/${room}/bans/ben?dryRun=true`)).toEqual({ dryRun: true, count: 1 });
    expect(await root.done('GET', `/bans?room=${room}`)).toMatchObject({ items: [{ user: 'ben' }] });
    expect((await root.ask('DELETE', `/rooms/${room}/bans/ben`)).status).toBe(204);
    expect((await root.ask('DELETE', `/rooms/${room}/bans/ben`)).status).toBe(204);
    expect(await root.done('DELETE', `/rooms/${room}/bans/ben?dryRun=true`)).toEqual({ dryRun: true, count: 0 });
    expect((await server.http('ann', 'PUT', `/v1/rooms/${room}/members/ben`, { role: 'member' })).status).toBe(200);

    // The only owner is muted too: he stays. A moderator's mute is lifted as well.
    const say = (user: string) => server.http(user, 'POST', `/v1/rooms/${room}/messages`, { text: 'x' }, { 'idempotency-key': 'k' });
    await root.done('PUT', `/rooms/${room}/mutes/ann`, {});
    expect(await say('ann')).toMatchObject({ status: 403, body: { message: 'You are muted in this room.' } });
    await server.http('mod', 'PUT', `/v1/rooms/${room}/mutes/ben`, {});
    expect((await say('ben')).status).toBe(403);
    for (const user of ['ann', 'ben']) {
      expect(await root.done('DELETE', `/rooms/${room}/mutes/${user}?dryRun=true`)).toEqual({ dryRun: true, count: 1 });
      expect((await say(user)).status).toBe(403);
      expect((await root.ask('DELETE', `/rooms/${room}/mutes/${user}`)).status).toBe(204);
      expect((await say(user)).status).toBe(201);
    }
    await Promise.all([ben.close(), ann.close()]);
  });

  it('bans in a room keep its last owner, spare who sets them, and are none of direct rooms', async () => {
    const room = await server.room('ann', 'public', ['root']);
    const direct = await server.room('ann', 'direct', ['dan']);
    expect((await root.ask('PUT', `/rooms/${room}/bans/ann`)).status).toBe(409);
    for (const kind of ['bans', 'mutes']) {
      expect((await root.ask('PUT', `/rooms/${room}/${kind}/root`)).status).toBe(403);
      expect((await root.ask('PUT', `/rooms/${direct}/${kind}/dan`)).status).toBe(403);
      expect((await root.ask('PUT', `/rooms/0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11/${kind}/ben`)).status).toBe(404);
    }
  });

  it('a deletion whose answer was lost is answered the same again, of a room and of a member', async () => {
    const room = await server.room('ann', 'public', ['ben']);
    const before = await root.done('DELETE', `/rooms/${room}/members/ben?dryRun=true`);
    expect(before).toMatchObject({ user: 'ben', role: 'member' });
    expect(await root.done('GET', `/rooms/${room}/members`)).toMatchObject({ items: [{ user: 'ann' }, before] });
    expect(await root.done('DELETE', `/rooms/${room}/members/ben`)).toEqual(before);
    expect((await root.ask('DELETE', `/rooms/${room}/members/ben`)).status).toBe(204);
    expect((await root.ask('DELETE', `/rooms/${room}/members/ann?dryRun=true`)).status).toBe(409);

    const [one, other] = await Promise.all([root.done('DELETE', `/rooms/${room}`), root.done('DELETE', `/rooms/${room}`)]);
    expect(other).toEqual(one);
    expect(await root.done('DELETE', `/rooms/${room}`)).toEqual(one);
    const { rows } = await database.query(`SELECT FROM room_events WHERE room_id = $1 AND event = 'room.deleted'`, [room]);
    expect(rows).toHaveLength(1);
    for (const [method, path] of [
      ['DELETE', `/rooms/${room}?dryRun=true`],
      ['GET', `/rooms/${room}`],
      ['DELETE', `/rooms/${room}/members/ann`],
    ] as const)
      expect((await root.ask(method, path)).status).toBe(404);
  });
});
