import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LocalBus } from '../bus/local-bus.js';
import type { LogEvent, Signal } from '../bus/room-bus.js';
import { Lifecycle } from '../config/lifecycle.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import type { DurableEvent } from '../protocol/index.js';
import type { RoomAccess } from '../rooms/access.service.js';
import { MemoryPresenceStore } from './memory-presence-store.js';
import { TypingService } from './typing.service.js';
import { quietChanges, recorded } from '../../test/support/quiet-changes.js';

describe('typing', () => {
  let bus: LocalBus;
  let store: MemoryPresenceStore;
  let typing: TypingService;
  let signals: Signal[];
  let seq: number;
  /** What the next look-ups of access wait for. */
  let gate: Promise<void>;
  let memberCount: number;

  beforeEach(async () => {
    jest.useFakeTimers();
    bus = new LocalBus();
    store = new MemoryPresenceStore();
    signals = [];
    seq = 0;
    gate = Promise.resolve();
    memberCount = 2;
    const access = {
      async require(user: string) {
        await gate;
        if (user === 'stranger') throw roomNotFound();
        if (user === 'reader') throw new ChatError('forbidden', 'Only members may do this.');
        return { room: { memberCount }, role: 'member' };
      },
    } as unknown as RoomAccess;
    typing = new TypingService(store, access, bus, new Lifecycle(), quietChanges(bus).acts);
    bus.listen({ onSignal: (signal) => signals.push(signal) });
    await store.connect('ada', 'a1', 'online');
    await store.connect('ada', 'a2', 'online');
    await store.connect('bob', 'b1', 'online');
  });

  afterEach(() => {
    typing.onApplicationShutdown();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  function said(): string[] {
    return signals.map(({ frame }) => {
      const { event, room, data } = JSON.parse(frame.subarray(2).toString()) as {
        event: string;
        room: string;
        data: { user: string; active: boolean };
      };
      return `${event} ${room} ${data.user} ${data.active}`;
    });
  }

  function log(event: DurableEvent, user: string | null, ends: LogEvent['ends'] = null): void {
    seq++;
    bus.publishNote({ room: 'r', epoch: 'e', headSeq: seq, events: [{ seq, event, user, ends, frame: Buffer.alloc(0) }] });
  }

  const BEGUN = 'typing r ada true';
  const ENDED = 'typing r ada false';

  it('tells the room but the typist, and lapses', async () => {
    await typing.start('ada', 'r', 'a1');
    expect(said()).toEqual([BEGUN]);
    expect(signals[0]).toMatchObject({ audience: { kind: 'room', room: 'r', exceptUser: 'ada' }, key: 'typing:r:ada' });
    await pass(5_999);
    expect(said()).toEqual([BEGUN]);
    await pass(1);
    expect(said()).toEqual([BEGUN, ENDED]);
    expect(typing.size).toBe(0);
  });

  it('goes on by another start, told again only after a while', async () => {
    await typing.start('ada', 'r', 'a1');
    for (let second = 1; second <= 8; second++) {
      await pass(1_000);
      await typing.start('ada', 'r', 'a1');
    }
    expect(said()).toEqual([BEGUN, BEGUN, BEGUN]);
    await pass(6_000);
    expect(said()).toEqual([BEGUN, BEGUN, BEGUN, ENDED]);
  });

  it.each<[string, () => unknown]>([
    ['a stop', () => typing.stop('ada', 'r', 'a1')],
    ['a message', () => log('message.created', 'ada')],
    ['a kick', () => log('member.left', 'ada', 'kicked')],
    ['the end of the room', () => log('room.deleted', null, 'deleted')],
    ['a silent leave', () => bus.publishAct(recorded({ kind: 'access.ended', room: 'r', user: 'ada', reason: 'left', atSeq: 1 }))],
    ['the end of the connection', () => typing.forget('a1')],
    ['hiding', () => typing.endOf('ada')],
  ])('ends by %s, once', async (_, end) => {
    await typing.start('ada', 'r', 'a1');
    await end();
    await pass(10_000);
    expect(said()).toEqual([BEGUN, ENDED]);
    expect(typing.size).toBe(0);
  });

  it('does not end by what others do, or by an edit', async () => {
    await typing.start('ada', 'r', 'a1');
    log('message.created', 'bob');
    log('message.updated', 'ada');
    log('member.left', 'bob', 'left');
    typing.forget('b1');
    expect(said()).toEqual([BEGUN]);
  });

  it('ends with the last connection that the user types on', async () => {
    await typing.start('ada', 'r', 'a1');
    await typing.start('ada', 'r', 'a2');
    await typing.stop('ada', 'r', 'a1');
    expect(said()).toEqual([BEGUN]);
    typing.forget('a2');
    expect(said()).toEqual([BEGUN, ENDED]);
  });

  it('refuses who may not, start or stop, and keeps nothing', async () => {
    await expect(typing.start('stranger', 'r', 's1')).rejects.toMatchObject({ code: 'not_found' });
    await expect(typing.start('reader', 'r', 's2')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(typing.stop('stranger', 'r', 's1')).rejects.toMatchObject({ code: 'not_found' });
    await typing.stop('ada', 'r', 'a1');
    expect(said()).toEqual([]);
    expect(typing.size).toBe(0);
  });

  it('tells nothing of an invisible user, and nothing in a large room', async () => {
    await store.choose('ada', 'invisible');
    await typing.start('ada', 'r', 'a1');
    memberCount = 201;
    await typing.start('bob', 'r', 'b1');
    expect(said()).toEqual([]);
    expect(typing.size).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ['kicked', () => log('member.left', 'ada', 'kicked')],
    ['disconnected', () => typing.forget('a1')],
    ['hidden', () => typing.endOf('ada')],
  ])('tells nothing of a user who is %s before the start takes effect', async (_, end) => {
    let open!: () => void;
    gate = new Promise((resolve) => (open = resolve));
    const start = typing.start('ada', 'r', 'a1');
    await end();
    open();
    await start;
    expect(said()).toEqual([]);
    expect(typing.size).toBe(0);
  });

  it('tells once of two starts at the same time', async () => {
    await Promise.all([typing.start('ada', 'r', 'a1'), typing.start('ada', 'r', 'a2')]);
    expect(said()).toEqual([BEGUN]);
  });

  it('keeps rooms apart', async () => {
    await typing.start('ada', 'r', 'a1');
    await typing.start('ada', 's', 'a1');
    log('message.created', 'ada');
    expect(said()).toEqual([BEGUN, 'typing s ada true', ENDED]);
    typing.forget('a1');
    expect(said()).toHaveLength(4);
  });
});
