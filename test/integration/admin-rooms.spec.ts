import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AdministratorClient } from '../support/administrator.js';
import { ChatServer } from '../support/chat-server.js';

describe('rooms, by an administrator who is a member of none', () => {
  let server: ChatServer;
  let root: AdministratorClient;
  beforeAll(async () => {
    server = await ChatServer.start();
    root = new AdministratorClient(server);
  });
  afterAll(() => server.close());

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
    expect(await idsOf('q=off')).toEqual([]);
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
    expect((await root.ask('DELETE', `/rooms/${room}`)).status).toBe(404);
    expect(await idsOf('member=ben&type=private')).not.toContain(room);
    await client.close();
  });
});

describe('why somebody may or may not', () => {
  let server: ChatServer;
  let root: AdministratorClient;
  beforeAll(async () => {
    server = await ChatServer.start();
    root = new AdministratorClient(server);
  });
  afterAll(() => server.close());

  const ask = (user: string, room: string, action: string) => root.done('GET', `/access?user=${user}&room=${room}&action=${action}`);

  it('is answered by the rule that decides, and by what it was decided by', async () => {
    const room = await server.room('ann', 'private', ['ben', 'eve']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/members/eve`, { role: 'moderator' });
    expect(await ask('ben', room, 'message.send')).toEqual({
      allowed: true,
      verdict: 'allow',
      action: 'message.send',
      rule: { roles: ['owner', 'moderator', 'member'], speech: true },
      reason: null,
      words: null,
      facts: {
        ...{ type: 'private', archived: false, role: 'member' },
        ...{ roomBanned: false, serverBanned: false, serverDisabled: false, roomMuted: false, serverMuted: false },
      },
    });
    expect(await ask('ben', room, 'room.delete')).toMatchObject({
      allowed: false,
      verdict: 'forbidden',
      reason: 'role',
      rule: { roles: ['owner'] },
    });
    expect(await ask('eve', room, 'room.update')).toMatchObject({
      allowed: true,
      rule: { roles: ['owner', 'moderator'], directAll: true },
    });
    expect(await ask('zoe', room, 'room.read')).toMatchObject({ allowed: false, verdict: 'not_found', reason: 'stranger' });
    await root.done('PATCH', `/rooms/${room}`, { archived: true });
    expect(await ask('ben', room, 'message.send')).toMatchObject({
      verdict: 'conflict',
      reason: 'archived',
      words: 'The room is archived.',
    });
    // What is said is what happens.
    const answer = await server.http('ben', 'POST', `/v1/rooms/${room}/messages`, { text: 'x' }, { 'idempotency-key': 'k' });
    expect(answer).toMatchObject({ status: 409, body: { message: 'The room is archived.' } });
  });

  it('knows who is banned from the room, banned from the server, or disabled', async () => {
    const room = await server.room('ann', 'public', ['ben']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/bans/mob`, {});
    expect(await ask('mob', room, 'room.join')).toMatchObject({ verdict: 'forbidden', reason: 'banned', facts: { roomBanned: true } });
    expect(await ask('ben', room, 'room.read')).toMatchObject({ allowed: true });
    await root.done('PUT', '/users/ben/ban');
    expect(await ask('ben', room, 'room.read')).toMatchObject({
      allowed: false,
      reason: 'serverBanned',
      facts: { role: 'member', serverBanned: true },
    });
    await root.done('DELETE', '/users/ben/ban');
    await server.http('ben', 'GET', '/v1/me');
    await root.done('PUT', '/users/ben/disabled', { disabled: true });
    expect(await ask('ben', room, 'room.read')).toMatchObject({ reason: 'serverDisabled', words: 'The user is disabled.' });
  });

  it('knows who is muted, in the room or on the server', async () => {
    const room = await server.room('ann', 'public', ['cat']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/mutes/cat`, { until: '2099-01-01T00:00:00Z' });
    expect(await ask('cat', room, 'message.send')).toMatchObject({
      verdict: 'forbidden',
      reason: 'muted',
      words: 'You are muted in this room until 2099-01-01T00:00:00.000Z.',
      facts: { roomMuted: true, serverMuted: false },
    });
    await server.http('ann', 'DELETE', `/v1/rooms/${room}/mutes/cat`);
    await root.done('PUT', '/users/cat/mute');
    expect(await ask('cat', room, 'message.send')).toMatchObject({ allowed: false, reason: 'serverMuted', words: 'You are muted.' });
    expect(await ask('cat', room, 'room.read')).toMatchObject({ allowed: true, facts: { serverMuted: true } });
  });

  it('knows actions of the table only, and rooms that are there', async () => {
    const room = await server.room('ann', 'public');
    expect((await root.ask('GET', `/access?user=ann&room=${room}&action=toString`)).status).toBe(400);
    expect((await root.ask('GET', '/access?user=ann&room=0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11&action=room.read')).status).toBe(404);
  });
});
