import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';

describe('what a user is told wherever he is connected', () => {
  let server: ChatServer;
  beforeAll(async () => {
    server = await ChatServer.start();
  });
  afterAll(() => server.close());

  const notify = (body: object, roles: string[]) =>
    fetch(`${server.test.url}/v1/admin/notices`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.test.token('root', { roles })}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('a room that was made is added on every connection of its creator and of its members', async () => {
    const clients = await Promise.all(['ann', 'ann', 'bob', 'eve'].map((user) => server.connect(user)));
    const room = await server.room('ann', 'private', ['bob']);
    for (const [index, role] of ['owner', 'owner', 'member'].entries()) {
      const added = await clients[index]!.seen(({ event, data }) => event === 'room.added' && data.room.id === room);
      expect(added).toEqual({ event: 'room.added', data: { room: expect.objectContaining({ id: room, headSeq: 0 }) as unknown, role } });
    }
    await clients[3]!.command('ping');
    expect(clients[3]!.frames.some(({ event }) => event === 'room.added')).toBe(false);
  });

  it.each(['the socket', 'REST'])('a room that one joins by %s is added on every connection of the joiner, once', async (way) => {
    const room = await server.room('own', 'public');
    const joiner = `joiner by ${way}`;
    const [first, second, owner] = await Promise.all([joiner, joiner, 'own'].map((user) => server.connect(user)));
    const join = async () => {
      if (way === 'REST') await server.http(joiner, 'POST', `/v1/rooms/${room}/join`);
      else await first!.command('room.join', { room });
    };
    await join();
    const isAdded = (frame: Frame) => frame.event === 'room.added' && frame.data.room.id === room;
    for (const client of [first!, second!]) {
      const { data } = await client.seen(isAdded);
      expect(data).toEqual({ room: expect.objectContaining({ id: room, headSeq: 1, memberCount: 2 }) as unknown, role: 'member' });
    }
    // Joining again changes nothing. What came before the leaving, came before its notice.
    await join();
    await server.http(joiner, 'POST', `/v1/rooms/${room}/leave`);
    for (const client of [first!, second!]) {
      await client.seen(({ event, data }) => event === 'room.removed' && data.room === room);
      expect(client.frames.filter(isAdded)).toHaveLength(1);
    }
    await owner!.command('ping');
    expect(owner!.frames.some(isAdded)).toBe(false);
  });

  it('who leaves hears the event, the end of the subscription, and of the room, in this order; his other device of the room only', async () => {
    const room = await server.room('own', 'public', ['dan']);
    const [dan, other] = [await server.connect('dan'), await server.connect('dan')];
    await dan.command('room.subscribe', { room });
    await dan.command('room.leave', { room });
    await dan.seen(({ event }) => event === 'room.removed');
    const heard = dan.frames.filter((frame) => frame.id === undefined && frame.event !== 'hello');
    expect(heard.map(({ event, data }) => [event, data.reason as string | undefined])).toEqual([
      ['member.left', undefined],
      ['room.closed', 'left'],
      ['room.removed', 'left'],
    ]);
    expect((await other.seen(({ event }) => event === 'room.removed')).data).toEqual({ room, reason: 'left' });
    // As a reader he may follow it again.
    expect(await dan.command('room.subscribe', { room })).toMatchObject({ role: null, headSeq: 1 });
  });

  it('archiving and deleting a room end it for everybody', async () => {
    const room = await server.room('own', 'private', ['gus']);
    const [gus, other] = [await server.connect('gus'), await server.connect('gus')];
    await gus.command('room.subscribe', { room });
    await server.http('own', 'PATCH', `/v1/rooms/${room}`, { archived: true });
    expect((await gus.seen(({ event }) => event === 'room.closed')).data).toEqual({ reason: 'archived' });
    // Still readable, and followed anew.
    await gus.command('room.subscribe', { room });
    const closed = gus.next(({ event }) => event === 'room.closed');
    await server.http('own', 'DELETE', `/v1/rooms/${room}`);
    expect((await closed).data).toEqual({ reason: 'deleted' });
    // A member who does not follow the room has lost it as well.
    for (const client of [gus, other]) {
      expect((await client.seen(({ event }) => event === 'room.removed')).data).toEqual({ room, reason: 'deleted' });
    }
    expect(gus.frames.findIndex(({ event }) => event === 'room.removed')).toBe(gus.frames.length - 1);
    await expect(gus.command('room.subscribe', { room })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('a notice for one user reaches his connections and no others; only administrators send it', async () => {
    const [one, two, other] = await Promise.all(['hal', 'hal', 'ida'].map((user) => server.connect(user)));
    expect((await notify({ text: 'no', level: 'info', user: 'hal' }, [])).status).toBe(403);
    expect((await notify({ text: 'for you', level: 'info', user: 'hal' }, ['admin'])).status).toBe(202);
    expect((await notify({ text: 'for all', level: 'critical' }, ['admin'])).status).toBe(202);
    for (const client of [one!, two!, other!]) await client.seen(({ event, data }) => event === 'notice' && data.text === 'for all');
    const texts = [one!, two!, other!].map((client) =>
      client.frames.filter(({ event }) => event === 'notice').map(({ data }) => data.text),
    );
    expect(texts).toEqual([['for you', 'for all'], ['for you', 'for all'], ['for all']]);
  });
});
