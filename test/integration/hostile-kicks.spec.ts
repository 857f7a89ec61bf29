import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { RoomBus, type RoomNote } from '../../src/bus/room-bus.js';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start();
});
afterAll(() => server.close());

describe('line 20: kicked between two messages', () => {
  const release = {
    'in order': (notes: RoomNote[]) => notes,
    'the other way round': (notes: RoomNote[]) => [...notes].reverse(),
    'each twice': (notes: RoomNote[]) => notes.flatMap((note) => [note, note]),
    'the last one only': (notes: RoomNote[]) => notes.slice(-1),
  };

  it.each(Object.entries(release))('line 20: the second is not delivered, when both come in one tick: %s', async (_, order) => {
    const room = await server.room('owner', 'private', ['victim', 'friend']);
    const [owner, victim, friend] = (await Promise.all(['owner', 'victim', 'friend'].map((user) => server.connect(user)))) as [
      ChatClient,
      ChatClient,
      ChatClient,
    ];
    for (const client of [victim, friend]) await client.command('room.subscribe', { room });
    const bus = server.get(RoomBus);
    const held: RoomNote[] = [];
    const spy = jest.spyOn(bus, 'publishNote').mockImplementation((note) => void held.push(note));
    await owner.command('message.send', { room, clientId: '1', text: 'before' });
    expect((await server.kick('owner', room, 'victim')).status).toBe(200);
    await owner.command('message.send', { room, clientId: '2', text: 'after' });
    spy.mockRestore();
    expect(held.map(({ headSeq }) => headSeq)).toEqual([1, 2, 3]);
    for (const note of order(held)) bus.publishNote(note);

    await until(() => friend.events(room).length === 3, 'the other member has all three');
    const closed = await victim.seen(({ event }) => event === 'room.closed');
    expect(closed).toEqual({ event: 'room.closed', room, data: { reason: 'kicked' } });
    await victim.command('ping');
    const heard = victim.frames.filter((frame) => frame.room === room).map(({ event, seq }) => [event, seq]);
    expect(heard).toEqual([
      ['message.created', 1],
      ['member.left', 2],
      ['room.closed', undefined],
    ]);
    expect(JSON.stringify(victim.frames)).not.toContain('"after"');
    for (const client of [owner, victim, friend]) await client.close();
  });

  it('line 20: with many messages around the kick, the victim has exactly those before it', async () => {
    for (let round = 0; round < 10; round++) {
      const room = await server.room('owner', 'private', ['victim', 'friend']);
      const [owner, victim, friend] = await Promise.all(['owner', 'victim', 'friend'].map((user) => server.connect(user)));
      await Promise.all([victim!, friend!].map((client) => client.command('room.subscribe', { room })));
      const send = (i: number) => owner!.command('message.send', { room, clientId: `${i}`, text: `${i}` });
      const sends = Array.from({ length: 20 }, (_, i) => send(i));
      const kick = server.kick('owner', room, 'victim');
      for (let i = 20; i < 40; i++) sends.push(send(i));
      await Promise.all([...sends, kick]);
      await until(() => friend!.events(room).length === 41, 'the other member has everything');
      const place = friend!.events(room).find(({ event }) => event === 'member.left')!.seq!;
      await victim!.seen(({ event }) => event === 'room.removed');
      await victim!.command('ping');
      expect(victim!.events(room).map(({ seq }) => seq)).toEqual(Array.from({ length: place }, (_, i) => i + 1));
      await Promise.all([owner!, victim!, friend!].map((client) => client.close()));
    }
  });

  it('line 24: a resume asks for the membership again', async () => {
    const room = await server.room('owner', 'private', ['away']);
    const before = await server.connect('away');
    const { epoch, headSeq } = (await before.command('room.subscribe', { room })) as { epoch: string; headSeq: number };
    await before.terminate();
    await server.kick('owner', room, 'away');
    await server.http('owner', 'POST', `/v1/rooms/${room}/messages`, { text: 'not for him' }, { 'idempotency-key': 'k' });
    const after = await server.connect('away');
    const since = { epoch, seq: headSeq };
    await expect(after.command('room.subscribe', { room, since })).rejects.toMatchObject({ code: 'not_found' });
    const open = await server.room('owner', 'public', ['away']);
    const there = (await after.command('room.subscribe', { room: open })) as { epoch: string };
    await server.http('owner', 'PUT', `/v1/rooms/${open}/bans/away`, {});
    await after.seen(({ event, room: of }) => event === 'room.closed' && of === open);
    const again = after.command('room.subscribe', { room: open, since: { epoch: there.epoch, seq: 0 } });
    await expect(again).rejects.toMatchObject({ code: 'forbidden' });
    expect(JSON.stringify(after.frames)).not.toContain('not for him');
    await after.close();
  });
});
