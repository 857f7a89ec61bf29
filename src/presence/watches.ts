import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type Act, RoomBus, type RoomNote } from '../bus/room-bus.js';
import { Acts } from '../changes/acts.js';
import { ChangesFeed } from '../changes/changes-feed.js';
import { ChatError } from '../errors/chat-error.js';
import { LIMITS } from '../protocol/index.js';
import { type MembersRead, RoomMembers } from './room-members.repository.js';
import { type Entry, WatchedRoom } from './watched-room.js';
import { WatchedUsers, type Watcher } from './watched-users.js';

interface Followed {
  room: WatchedRoom;
  /** Resolves when the bus tells of the room. */
  following: Promise<void>;
  /** The members must be read by a statement that has not begun yet. */
  isStale: boolean;
  isRefreshing: boolean;
}

/**
 * Which connections of this instance watch which rooms. A watch begins by `enter`, then what it shows is read, then `admit`; it is over
 * by `leave`, by `forget`, or at the place in the room's log where its user's access ends. Nothing is kept of a room that nobody watches.
 */
@Injectable()
export class Watches implements OnApplicationShutdown {
  readonly #logger = new Logger(Watches.name);
  readonly #rooms = new Map<string, Followed>();
  /** The rooms that each watcher has entered or watches. */
  readonly #watched = new Map<Watcher, Set<WatchedRoom>>();
  readonly #forgotten = new WeakSet<Watcher>();
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly bus: RoomBus,
    private readonly members: RoomMembers,
    private readonly users: WatchedUsers,
    acts: Acts,
    changes: ChangesFeed,
  ) {
    this.#endings = [
      bus.listen({ onNote: (note) => this.#onNote(note) }),
      acts.listen((act) => this.#onAct(act)),
      changes.listen({ onHeads: (heads) => this.#onHeads(heads) }),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
    for (const { room } of this.#rooms.values()) this.#drop(room);
  }

  /** Rooms watched now, for tests of what is kept. */
  get size(): number {
    return this.#rooms.size;
  }

  /** From here on no end of the user's access is missed. @throws {ChatError} unavailable when the watcher was forgotten, conflict when it watches too many */
  enter(watcher: Watcher, id: string): Entry {
    if (this.#forgotten.has(watcher)) throw new ChatError('unavailable', 'The connection is closed.');
    const watched = this.#watched.get(watcher);
    if (watched && watched.size >= LIMITS.subscriptions && !hasRoom(watched, id)) {
      throw new ChatError('conflict', `A connection watches at most ${LIMITS.subscriptions} rooms.`);
    }
    const { room } = this.#follow(id);
    const entry = { watcher, room, ended: false };
    room.entries.add(entry);
    let rooms = this.#watched.get(watcher);
    if (!rooms) this.#watched.set(watcher, (rooms = new Set()));
    rooms.add(room);
    return entry;
  }

  /**
   * Reads the room and its members' states, as they are after this is called.
   * @returns the members' ids in order, null in a large room, undefined when there is no such room
   * @throws {ChatError} unavailable, timeout
   */
  async read({ room }: Entry): Promise<readonly string[] | null | undefined> {
    await this.#rooms.get(room.id)?.following;
    const read = await this.members.read(room.id);
    this.#take(room, read);
    if (read?.members) await this.users.learn(room.members);
    return read === null ? undefined : read.members;
  }

  /** The watch begins: changes are delivered from now on. @returns false when it is over already */
  admit({ watcher, room, ended }: Entry): boolean {
    if (ended) return false;
    room.watchers.add(watcher);
    return true;
  }

  /** Must follow each `enter`, whatever became of it. */
  close(entry: Entry): void {
    entry.room.entries.delete(entry);
    this.#tidy(entry.watcher, entry.room);
  }

  leave(watcher: Watcher, id: string): void {
    const room = this.#rooms.get(id)?.room;
    if (room?.watchers.delete(watcher)) this.#tidy(watcher, room);
  }

  /** The connection is closed: its watches are over, and it can begin no other. */
  forget(watcher: Watcher): void {
    this.#forgotten.add(watcher);
    for (const room of this.#watched.get(watcher) ?? []) {
      for (const entry of room.entries) if (entry.watcher === watcher) entry.ended = true;
      room.watchers.delete(watcher);
      this.#tidy(watcher, room);
    }
  }

  #onNote(note: RoomNote): void {
    const followed = this.#rooms.get(note.room);
    if (followed?.room.note(note)) this.#refresh(followed);
  }

  // The bus did not bring all of the room's events: its members are read anew.
  #onHeads(heads: ReadonlyMap<string, number>): void {
    for (const [id, followed] of this.#rooms) {
      const head = heads.get(id);
      if (head !== undefined && followed.room.learnHead(head)) this.#refresh(followed);
    }
  }

  #onAct(act: Act): void {
    if (act.kind !== 'access.ended') return;
    const followed = this.#rooms.get(act.room);
    if (!followed) return;
    followed.room.remove(act.user);
    // Access ends without an event in large rooms only: others may have joined without one.
    if (this.#rooms.has(act.room)) this.#refresh(followed);
  }

  #follow(id: string): Followed {
    let followed = this.#rooms.get(id);
    if (!followed) {
      const room: WatchedRoom = new WatchedRoom(id, this.users, (watcher) => this.#tidy(watcher, room));
      followed = { room, following: this.bus.follow(id), isStale: false, isRefreshing: false };
      this.#rooms.set(id, followed);
    }
    return followed;
  }

  #take(room: WatchedRoom, read: MembersRead | null): void {
    const followed = this.#rooms.get(room.id);
    // Nobody waits for what was read of a room that is no longer watched.
    if (followed?.room === room && room.take(read)) this.#refresh(followed);
  }

  #refresh(followed: Followed): void {
    followed.isStale = true;
    if (followed.isRefreshing) return;
    followed.isRefreshing = true;
    this.#readWhileStale(followed)
      .finally(() => (followed.isRefreshing = false))
      // The next note, or the next watch, reads again.
      .catch((error: Error) => this.#logger.warn(`The members of a watched room could not be read: ${error.message}`));
  }

  async #readWhileStale(followed: Followed): Promise<void> {
    const { room } = followed;
    while (followed.isStale && this.#rooms.get(room.id) === followed) {
      followed.isStale = false;
      this.#take(room, await this.members.read(room.id));
      await this.users.learn(room.members);
    }
  }

  /** Lets go of what nobody uses any more. */
  #tidy(watcher: Watcher, room: WatchedRoom): void {
    if (!room.watchers.has(watcher) && !hasEntry(room, watcher)) {
      const rooms = this.#watched.get(watcher);
      rooms?.delete(room);
      if (rooms?.size === 0) this.#watched.delete(watcher);
    }
    if (room.watchers.size === 0 && room.entries.size === 0 && this.#rooms.get(room.id)?.room === room) this.#drop(room);
  }

  #drop(room: WatchedRoom): void {
    this.#rooms.delete(room.id);
    room.close();
    this.bus.unfollow(room.id);
  }
}

function hasRoom(rooms: ReadonlySet<WatchedRoom>, id: string): boolean {
  for (const room of rooms) if (room.id === id) return true;
  return false;
}

function hasEntry(room: WatchedRoom, watcher: Watcher): boolean {
  for (const entry of room.entries) if (entry.watcher === watcher) return true;
  return false;
}
