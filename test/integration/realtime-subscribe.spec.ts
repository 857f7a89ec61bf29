import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RoomReplay } from '../../src/log/room-replay.js';
import { LIMITS } from '../../src/protocol/index.js';
import type { ChatClient, Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';

let server: ChatServer;
let ann: ChatClient;

beforeAll(async () => {
  server = await ChatServer.start();
  ann = await server.connect('ann');
});

afterAll(() => server.close());

async function say(room: string, count: number, text = 'hi'): Promise<void> {
  const sends = Array.from({ length: count }, () => ann.command('message.send', { room, clientId: randomUUID(), text }));
  await Promise.all(sends);
}

const seqs = (events: Frame[]) => events.map(({ seq }) => seq);

describe('a second subscribe', () => {
  it('replaces the first: one event comes once, and one unsubscribe ends it', async () => {
    const room = await server.room('ann', 'private', ['bob']);
    const bob = await server.connect('bob');
    const { epoch } = await bob.command('room.subscribe', { room });
    await say(room, 3);
    await bob.seen(({ seq }) => seq === 3);
    const again = await bob.command('room.subscribe', { room, since: { epoch, seq: 1 } });
    expect(again).toMatchObject({ headSeq: 3, recovered: true });
    expect(seqs(again.events as Frame[])).toEqual([2, 3]);
    await bob.command('rooms.subscribe', { rooms: [{ room }] });
    await say(room, 2);
    await bob.seen(({ seq }) => seq === 5);
    expect(seqs(bob.events(room))).toEqual([1, 2, 3, 4, 5]);
    await bob.command('room.unsubscribe', { room });
    await say(room, 1);
    await ann.command('room.subscribe', { room });
    await say(room, 1);
    await ann.seen((frame) => frame.room === room && frame.seq === 7);
    await bob.command('ping');
    expect(seqs(bob.events(room))).toEqual([1, 2, 3, 4, 5]);
    expect(bob.frames.some(({ event }) => event === 'room.closed')).toBe(false);
    await bob.close();
  });

  it('that is refused leaves the first as it is', async () => {
    const room = await server.room('ann', 'public', []);
    const bob = await server.connect('bob');
    await bob.command('room.subscribe', { room });
    await expect(bob.command('room.subscribe', { room, since: { epoch: 'e', seq: -1 } })).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await say(room, 1);
    expect(await bob.seen((frame) => frame.room === room && frame.seq === 1)).toMatchObject({ event: 'message.created' });
    await bob.close();
  });
});

describe('what happens between the first read and the ack', () => {
  /** Subscribes; what the room was read as is held back until `work` is done. */
  async function withHeldRead(client: ChatClient, room: string, work: () => Promise<unknown>): Promise<unknown> {
    const replay = server.get(RoomReplay);
    const follow = replay.follow.bind(replay);
    let isRead = false;
    let release = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const held = jest.spyOn(replay, 'follow').mockImplementation(async (request) => {
      const snapshot = await follow(request);
      isRead = true;
      await gate;
      return snapshot;
    });
    const ack = client.command('room.subscribe', { room });
    await until(() => isRead, 'the room is read');
    held.mockRestore();
    await work();
    release();
    return ack as Promise<unknown>;
  }

  it('is heard, and was kept for it: the log is not read again', async () => {
    const room = await server.room('ann', 'private', ['bob']);
    const bob = await server.connect('bob');
    const readAgain = jest.spyOn(server.get(RoomReplay), 'readAfter');
    expect(await withHeldRead(bob, room, () => say(room, 3))).toMatchObject({ headSeq: 0, events: [] });
    await bob.seen(({ seq }) => seq === 3);
    expect(seqs(bob.events(room))).toEqual([1, 2, 3]);
    expect(readAgain.mock.calls.filter(([read]) => read === room)).toEqual([]);
    readAgain.mockRestore();
    await bob.close();
  });

  it('ends it, when it is a ban of a reader, which is no event of the log', async () => {
    const room = await server.room('ann', 'public');
    const reader = await server.connect('reader');
    const ban = () => server.http('ann', 'PUT', `/v1/rooms/${room}/bans/reader`, {});
    expect(await withHeldRead(reader, room, ban)).toMatchObject({ role: null });
    expect(await reader.seen(({ event }) => event === 'room.closed')).toEqual({ event: 'room.closed', room, data: { reason: 'banned' } });
    await say(room, 1);
    await reader.command('ping');
    expect(reader.events(room)).toEqual([]);
    await reader.close();
  });
});

describe('since', () => {
  it('that cannot be honoured recovers nothing, and the room is followed from its head', async () => {
    const room = await server.room('ann', 'private');
    const { epoch } = await ann.command('room.subscribe', { room });
    await say(room, 2);
    for (const since of [
      { epoch: 'another', seq: 1 },
      { epoch, seq: 3 },
    ]) {
      expect(await ann.command('room.subscribe', { room, since })).toMatchObject({ headSeq: 2, recovered: false, events: [] });
    }
    expect(await ann.command('room.subscribe', { room, since: { epoch, seq: 2 } })).toMatchObject({ recovered: true, events: [] });
  });

  it('recovers 500 events, and of 501 none', async () => {
    const room = await server.room('ann', 'private');
    const { epoch } = await ann.command('room.subscribe', { room });
    await say(room, LIMITS.replayEvents + 1);
    const none = await ann.command('room.subscribe', { room, since: { epoch, seq: 0 } });
    expect(none).toMatchObject({ recovered: false, events: [], headSeq: 501 });
    const all = await ann.command('room.subscribe', { room, since: { epoch, seq: 1 } });
    expect(all.recovered).toBe(true);
    expect(seqs(all.events as Frame[])).toEqual(Array.from({ length: 500 }, (_, index) => index + 2));
  });
});

describe('rooms.subscribe', () => {
  it('answers in order, a refused room by its error, and follows the others', async () => {
    const [one, hidden, open] = [
      await server.room('ann', 'private'),
      await server.room('eve', 'private'),
      await server.room('eve', 'public'),
    ];
    const missing = randomUUID();
    const { rooms } = await ann.command('rooms.subscribe', { rooms: [one, hidden, open, missing].map((room) => ({ room })) });
    const refused = { code: 'not_found', message: expect.any(String) as unknown, retryable: false };
    expect(rooms).toMatchObject([
      { room: one, role: 'owner', headSeq: 0 },
      { room: hidden, error: refused },
      { room: open, role: null, headSeq: 0 },
      { room: missing, error: refused },
    ]);
    // A stranger cannot tell a private room from none.
    expect(rooms[1].error).toEqual(rooms[3].error);
    const eve = await server.connect('eve');
    for (const room of [hidden, open]) await eve.command('message.send', { room, clientId: 'c', text: 'hi' });
    await ann.seen((frame) => frame.room === open && frame.seq === 1);
    expect(ann.events(hidden)).toEqual([]);
    await eve.close();
  });

  it('refuses the room that would overflow the frame as unavailable, and gives it when it is asked for again', async () => {
    const rooms = await Promise.all(Array.from({ length: 3 }, () => server.room('ann', 'private')));
    for (const room of rooms) await say(room, 28, 'x'.repeat(8_000));
    const sizes: number[] = [];
    ann.socket.on('message', (data: Buffer) => sizes.push(data.length));
    const { epoch } = await ann.command('room.subscribe', { room: rooms[0] });
    const ask = async (wanted: string[]) => {
      const places = await Promise.all(wanted.map(async (room) => (await ann.command('history.get', { room, limit: 1 })).epoch as string));
      const requests = wanted.map((room, index) => ({ room, since: { epoch: places[index], seq: 0 } }));
      return (await ann.command('rooms.subscribe', { rooms: requests })).rooms as { events: Frame[]; recovered: boolean; error: object }[];
    };
    expect(epoch).toEqual(expect.any(String));
    const [first, second, third] = await ask(rooms);
    for (const whole of [first!, second!]) expect([whole.recovered, whole.events.length]).toEqual([true, 28]);
    expect(third).toEqual({ room: rooms[2], error: { code: 'unavailable', message: expect.any(String) as unknown, retryable: true } });
    // A small one behind it still fits.
    const small = await server.room('ann', 'private');
    expect((await ask([...rooms, small])).map(({ error }) => error !== undefined)).toEqual([false, false, true, false]);
    expect(Math.max(...sizes)).toBeGreaterThan(LIMITS.replayBytes);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.serverFrameBytes);
    // It is not followed until then.
    await say(rooms[2]!, 1);
    await say(rooms[1]!, 1);
    await until(() => ann.events(rooms[1]!).length === 1, 'the second room is followed');
    expect(ann.events(rooms[2]!)).toEqual([]);
    const [again] = await ask([rooms[2]!]);
    expect([again!.recovered, again!.events.length]).toEqual([true, 29]);
  });
});
