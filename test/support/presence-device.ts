import { expect } from '@jest/globals';
import type { UserDirectory } from '../../src/auth/user-directory.js';
import { LocalBus } from '../../src/bus/local-bus.js';
import type { LogEvent } from '../../src/bus/room-bus.js';
import { Lifecycle } from '../../src/config/lifecycle.js';
import { ChatError, roomNotFound } from '../../src/errors/chat-error.js';
import { LastSeen } from '../../src/presence/last-seen.service.js';
import { MemoryPresenceStore } from '../../src/presence/memory-presence-store.js';
import { PresenceService } from '../../src/presence/presence.service.js';
import type { RoomMembers } from '../../src/presence/room-members.repository.js';
import { TypingService } from '../../src/presence/typing.service.js';
import { WatchedUsers, type Watcher } from '../../src/presence/watched-users.js';
import { Watches } from '../../src/presence/watches.js';
import type { ChosenStatus, DurableEvent, PresenceView } from '../../src/protocol/index.js';
import type { RoomAccess } from '../../src/rooms/access.service.js';
import { quietChanges, recorded } from './quiet-changes.js';

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

/** A connection that watches. */
export class Listener implements Watcher {
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

/** Presence of one instance, over a bus and a store of its own and a database that can be slow or away. */
export class PresenceDevice {
  readonly db = new FakeDatabase();
  readonly bus = new LocalBus();
  readonly users: WatchedUsers;
  readonly watches: Watches;
  readonly lastSeen: LastSeen;
  readonly presence: PresenceService;
  readonly #typing: TypingService;

  constructor() {
    const store = new MemoryPresenceStore();
    const { acts, changes } = quietChanges(this.bus);
    const directory = fakeDirectory(this.db, this.bus);
    const members = fakeMembers(this.db, store);
    const access = fakeAccess(this.db);
    this.lastSeen = new LastSeen(directory);
    this.users = new WatchedUsers(store, this.lastSeen);
    this.watches = new Watches(this.bus, members, this.users, acts, changes);
    this.#typing = new TypingService(store, access, this.bus, new Lifecycle(), acts);
    const { watches, users, lastSeen } = this;
    this.presence = new PresenceService(store, directory, access, members, watches, users, lastSeen, this.#typing, acts);
  }

  room(id: string, ...members: string[]): void {
    this.db.members.set(id, new Set(members));
  }

  /** An event of the room's log, as every instance hears of it. */
  log(id: string, event: DurableEvent, user: string | null, ends: LogEvent['ends'] = null): void {
    const seq = (this.db.heads.get(id) ?? 0) + 1;
    this.db.heads.set(id, seq);
    if (event === 'member.joined') this.db.members.get(id)!.add(user!);
    if (event === 'member.left') this.db.members.get(id)!.delete(user!);
    this.bus.publishNote({ room: id, epoch: 'e', headSeq: seq, events: [{ seq, event, user, ends, frame: Buffer.alloc(0) }] });
  }

  async close(): Promise<void> {
    this.#typing.onApplicationShutdown();
    this.watches.onApplicationShutdown();
    this.users.onApplicationShutdown();
    this.presence.onApplicationShutdown();
    await this.lastSeen.beforeApplicationShutdown();
  }
}

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
