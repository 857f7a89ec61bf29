import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { UserDirectory } from '../auth/user-directory.js';
import { LocalBus } from '../bus/local-bus.js';
import type { LogEvent } from '../bus/room-bus.js';
import { Lifecycle } from '../config/lifecycle.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import type { ChosenStatus, DurableEvent, PresenceView } from '../protocol/index.js';
import type { RoomAccess } from '../rooms/access.service.js';
import { LastSeen } from './last-seen.service.js';
import { MemoryPresenceStore } from './memory-presence-store.js';
import { PresenceService } from './presence.service.js';
import type { RoomMembers } from './room-members.repository.js';
import { TypingService } from './typing.service.js';
import { WatchedUsers, type Watcher } from './watched-users.js';
import { Watches } from './watches.js';
import { quietChanges, recorded } from '../../test/support/quiet-changes.js';

const START = new Date('2026-01-01T12:00:00.000Z');
const LONG_AGO = new Date('2025-12-24T18:00:00.000Z');

/** What the database would hold. */
class FakeDatabase {
  readonly members = new Map<string, Set<string>>();
  readonly large = new Set<string>();
  readonly heads = new Map<string, number>();
  readonly seen = new Map<string, Date>();
  readonly statuses = new Map<string, ChosenStatus>();
  isDown = false;
  /** How long each of the next choices takes. */
  turns: number[] = [];
  /** Runs when members are read, before the answer is made. */
  onRead: (() => void) | undefined;

  check(): void {
    if (this.isDown) throw new ChatError('unavailable', 'The database is not available.');
  }
}

class Listener implements Watcher {
  readonly heard: PresenceView[] = [];

  constructor(readonly userId: string) {}

  deliver(frame: Buffer, key: string): void {
    const { event, data } = JSON.parse(frame.subarray(frame[1]! < 126 ? 2 : 4).toString()) as { event: string; data: PresenceView };
    expect(event).toBe('presence.changed');
    expect(key).toBe(`presence:${data.user}`);
    this.heard.push(data);
  }

  get statuses(): string[] {
    return this.heard.map(({ user, status }) => `${user} ${status}`);
  }
}

describe('presence', () => {
  let db: FakeDatabase;
  let bus: LocalBus;
  let users: WatchedUsers;
  let watches: Watches;
  let lastSeen: LastSeen;
  let presence: PresenceService;
  let typing: TypingService;

  beforeEach(() => {
    jest.useFakeTimers({ now: START });
    Logger.overrideLogger(false);
    db = new FakeDatabase();
    bus = new LocalBus();
    const store = new MemoryPresenceStore();
    const { acts, changes } = quietChanges(bus);
    const directory = fakeDirectory(db, bus);
    const members = fakeMembers(db, store);
    const access = fakeAccess(db);
    lastSeen = new LastSeen(directory);
    users = new WatchedUsers(store, lastSeen);
    watches = new Watches(bus, members, users, acts, changes);
    typing = new TypingService(store, access, bus, new Lifecycle(), acts);
    presence = new PresenceService(store, directory, access, members, watches, users, lastSeen, typing, acts);
  });

  afterEach(async () => {
    typing.onApplicationShutdown();
    watches.onApplicationShutdown();
    users.onApplicationShutdown();
    presence.onApplicationShutdown();
    await lastSeen.beforeApplicationShutdown();
    expect(users.size).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  function room(id: string, ...members: string[]): void {
    db.members.set(id, new Set(members));
  }

  function log(id: string, event: DurableEvent, user: string | null, ends: LogEvent['ends'] = null): void {
    const seq = (db.heads.get(id) ?? 0) + 1;
    db.heads.set(id, seq);
    if (event === 'member.joined') db.members.get(id)!.add(user!);
    if (event === 'member.left') db.members.get(id)!.delete(user!);
    bus.publishNote({ room: id, epoch: 'e', headSeq: seq, events: [{ seq, event, user, ends, frame: Buffer.alloc(0) }] });
  }

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  describe('watching', () => {
    it('begins with all members, and goes on with their changes', async () => {
      room('r', 'ada', 'bob', 'cid');
      db.seen.set('cid', LONG_AGO);
      presence.connected('ada', 'a1', 'online');
      const ada = new Listener('ada');
      expect(await presence.watch(ada, 'r')).toEqual({
        count: 1,
        users: [
          { user: 'ada', status: 'online', lastSeenAt: null },
          { user: 'bob', status: 'offline', lastSeenAt: null },
          { user: 'cid', status: 'offline', lastSeenAt: LONG_AGO.toISOString() },
        ],
        truncated: false,
      });
      presence.connected('bob', 'b1', 'busy');
      await pass(200);
      expect(ada.heard).toEqual([{ user: 'bob', status: 'busy', lastSeenAt: null }]);
      const goneAt = new Date().toISOString();
      presence.disconnected('bob', 'b1');
      await pass(200);
      expect(ada.heard.at(-1)).toEqual({ user: 'bob', status: 'offline', lastSeenAt: goneAt });
      expect(ada.heard).toHaveLength(2);
    });

    it('says nothing of a flap within the window', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      presence.disconnected('bob', 'b1');
      await pass(100);
      presence.connected('bob', 'b2', 'online');
      await pass(1_000);
      expect(ada.heard).toEqual([]);
    });

    it('says only the last of several changes in a window', async () => {
      room('r', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      presence.connected('bob', 'b1', 'online');
      await presence.choose('bob', 'away');
      await presence.choose('bob', 'busy');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob busy']);
    });

    it('tells a watcher of several rooms once', async () => {
      room('r', 'ada', 'bob');
      room('s', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      await presence.watch(ada, 's');
      presence.connected('bob', 'b1', 'online');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob online']);
      presence.unwatch(ada, 'r');
      presence.disconnected('bob', 'b1');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob online', 'bob offline']);
    });

    it('lets no snapshot within a window hide what comes after it', async () => {
      room('r', 'ada', 'bob', 'cid');
      presence.connected('bob', 'b1', 'online');
      const [ada, cid] = [new Listener('ada'), new Listener('cid')];
      await presence.watch(ada, 'r');
      await presence.choose('bob', 'away');
      await pass(50);
      const { users: seen } = await presence.watch(cid, 'r');
      expect(seen.find(({ user }) => user === 'bob')!.status).toBe('away');
      await presence.choose('bob', 'online');
      await pass(1_000);
      expect(cid.statuses).toEqual(['bob online']);
      expect(ada.statuses).toEqual(['bob away', 'bob online']);
    });

    it('misses no change that comes while the snapshot is read', async () => {
      room('r', 'ada', 'bob');
      db.onRead = () => presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      const { users: seen } = await presence.watch(ada, 'r');
      await pass(1_000);
      const last = [...seen, ...ada.heard].filter(({ user }) => user === 'bob').at(-1);
      expect(last!.status).toBe('online');
    });

    it('includes who joins, and forgets who leaves', async () => {
      room('r', 'ada');
      db.seen.set('cid', LONG_AGO);
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      log('r', 'member.joined', 'bob');
      log('r', 'member.joined', 'cid');
      await pass(1_000);
      expect(ada.heard).toEqual([
        { user: 'bob', status: 'online', lastSeenAt: null },
        { user: 'cid', status: 'offline', lastSeenAt: LONG_AGO.toISOString() },
      ]);
      log('r', 'member.left', 'bob', 'left');
      presence.disconnected('bob', 'b1');
      await pass(1_000);
      expect(ada.heard).toHaveLength(2);
    });

    it('tells a room of a new member whom another room knows already', async () => {
      room('r', 'ada', 'bob');
      room('s', 'cid', 'ada');
      const [ada, cid] = [new Listener('ada'), new Listener('cid')];
      await presence.watch(ada, 'r');
      await presence.watch(ada, 's');
      await presence.watch(cid, 's');
      log('s', 'member.joined', 'bob');
      await pass(1_000);
      expect(cid.statuses).toEqual(['bob offline']);
      expect(ada.heard).toEqual([]);
    });

    it.each([
      ['a kick', () => log('r', 'member.left', 'ada', 'kicked')],
      ['a silent leave', () => bus.publishAct(recorded({ kind: 'access.ended', room: 'r', user: 'ada', reason: 'left', atSeq: 0 }))],
      ['the end of the room', () => log('r', 'room.deleted', null, 'deleted')],
      ['unwatch', (ada: Watcher) => presence.unwatch(ada, 'r')],
      ['the end of the connection', (ada: Watcher) => presence.forget(ada)],
    ])('ends by %s, and keeps nothing', async (_, end) => {
      room('r', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      presence.connected('bob', 'b1', 'online');
      end(ada);
      await pass(1_000);
      expect(ada.heard).toEqual([]);
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('refuses who may not, and keeps nothing', async () => {
      room('r', 'bob');
      await expect(presence.watch(new Listener('ada'), 'r')).rejects.toMatchObject({ code: 'not_found' });
      await expect(presence.watch(new Listener('ada'), 'none')).rejects.toMatchObject({ code: 'not_found' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('refuses who is kicked while the snapshot is read', async () => {
      room('r', 'ada', 'bob');
      db.onRead = () => {
        db.onRead = undefined;
        log('r', 'member.left', 'ada', 'kicked');
      };
      await expect(presence.watch(new Listener('ada'), 'r')).rejects.toMatchObject({ code: 'not_found' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('begins nothing for a connection that closes meanwhile', async () => {
      room('r', 'ada');
      const ada = new Listener('ada');
      db.onRead = () => presence.forget(ada);
      await expect(presence.watch(ada, 'r')).rejects.toMatchObject({ code: 'unavailable' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('fails with the database, and keeps nothing', async () => {
      room('r', 'ada');
      db.isDown = true;
      await expect(presence.watch(new Listener('ada'), 'r')).rejects.toMatchObject({ code: 'unavailable' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('gives a sample of a large room, and no changes', async () => {
      const many = Array.from({ length: 300 }, (_, index) => `user-${index}`);
      room('big', 'ada', ...many);
      db.large.add('big');
      for (const user of many.slice(0, 250)) presence.connected(user, `c-${user}`, user === 'user-9' ? 'invisible' : 'online');
      const ada = new Listener('ada');
      const snapshot = await presence.watch(ada, 'big');
      expect(snapshot).toMatchObject({ count: 249, truncated: true });
      expect(snapshot.users).toHaveLength(200);
      expect(snapshot.users[0]).toEqual({ user: 'user-0', status: 'online', lastSeenAt: null });
      presence.disconnected('user-0', 'c-user-0');
      await pass(1_000);
      expect(ada.heard).toEqual([]);
      presence.forget(ada);
    });
  });

  describe('status', () => {
    it('freezes the last seen time of a user who hides', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      await presence.choose('bob', 'invisible');
      const hiddenAt = new Date().toISOString();
      await pass(60_000);
      presence.connected('bob', 'b2', 'invisible');
      presence.disconnected('bob', 'b1');
      presence.disconnected('bob', 'b2');
      await pass(60_000);
      expect(ada.heard).toEqual([{ user: 'bob', status: 'offline', lastSeenAt: hiddenAt }]);
      expect(db.seen.get('bob')!.toISOString()).toBe(hiddenAt);
      const { count, users: seen } = await presence.watch(new Listener('bob'), 'r');
      expect(count).toBe(0);
      expect(seen.find(({ user }) => user === 'bob')).toEqual({ user: 'bob', status: 'offline', lastSeenAt: hiddenAt });
    });

    it('shows no connection whose handshake knew an older choice', async () => {
      room('r', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      await presence.choose('bob', 'invisible');
      presence.connected('bob', 'b1', 'online');
      await pass(1_000);
      expect(ada.heard).toEqual([]);
    });

    it('keeps the order of the choices of one user', async () => {
      presence.connected('bob', 'b1', 'online');
      db.turns = [9, 1, 5];
      await Promise.all([presence.choose('bob', 'away'), presence.choose('bob', 'invisible'), presence.choose('bob', 'busy')]);
      expect(db.statuses.get('bob')).toBe('busy');
    });

    it('shows nothing that could not be stored', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      db.isDown = true;
      await expect(presence.choose('bob', 'busy')).rejects.toMatchObject({ code: 'unavailable' });
      db.isDown = false;
      await presence.choose('bob', 'away');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob away']);
    });
  });

  describe('last seen', () => {
    it('is known at once, and stored again when the database was away', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      await pass(10);
      const at = new Date();
      db.isDown = true;
      presence.disconnected('bob', 'b1');
      await pass(100);
      expect(db.seen.size).toBe(0);
      db.isDown = false;
      const { users: seen } = await presence.watch(new Listener('ada'), 'r');
      expect(seen.find(({ user }) => user === 'bob')!.lastSeenAt).toBe(at.toISOString());
      await pass(1_000);
      expect(db.seen.get('bob')).toEqual(at);
    });

    it('is flushed at the end', async () => {
      presence.connected('bob', 'b1', 'online');
      presence.disconnected('bob', 'b1');
      await lastSeen.beforeApplicationShutdown();
      presence.connected('cid', 'c1', 'online');
      presence.disconnected('cid', 'c1');
      await lastSeen.beforeApplicationShutdown();
      expect([...db.seen.keys()]).toEqual(['bob', 'cid']);
    });
  });
});

function fakeDirectory(db: FakeDatabase, bus: LocalBus): UserDirectory {
  return {
    async setStatus(user: string, status: ChosenStatus) {
      for (let turns = db.turns.shift() ?? 1; turns > 0; turns--) await Promise.resolve();
      db.check();
      db.statuses.set(user, status);
      bus.publishAct(recorded({ kind: 'status.chosen', user, status }));
    },
    async seen(users: { user: string; at: Date }[]) {
      await Promise.resolve();
      db.check();
      for (const { user, at } of users) db.seen.set(user, at);
    },
    async lastSeen(ids: string[]) {
      await Promise.resolve();
      db.check();
      return new Map(ids.map((id) => [id, db.seen.get(id) ?? null]));
    },
  } as unknown as UserDirectory;
}

function fakeMembers(db: FakeDatabase, store: MemoryPresenceStore): RoomMembers {
  return {
    async read(room: string) {
      await Promise.resolve();
      db.check();
      const members = db.members.get(room);
      const headSeq = db.heads.get(room) ?? 0;
      const answer = members && { epoch: 'e', headSeq, members: db.large.has(room) ? null : [...members].sort() };
      db.onRead?.();
      return answer ?? null;
    },
    async online(room: string) {
      const visible = await store.visible([...db.members.get(room)!]);
      return { count: visible.size, sample: [...visible.keys()].slice(0, 200) };
    },
  } as unknown as RoomMembers;
}

function fakeAccess(db: FakeDatabase): RoomAccess {
  return {
    async require(user: string, room: string) {
      await Promise.resolve();
      db.check();
      if (!db.members.get(room)?.has(user)) throw roomNotFound();
      return { room: { memberCount: db.members.get(room)!.size }, role: 'member' };
    },
  } as unknown as RoomAccess;
}
