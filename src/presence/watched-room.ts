import type { LogEvent, RoomNote } from '../bus/room-bus.js';
import type { MembersRead } from './room-members.repository.js';
import type { WatchedUsers, Watcher } from './watched-users.js';

/** A watch that is beginning: registered, so that no end of access is missed, but without a snapshot yet. */
export interface Entry {
  readonly watcher: Watcher;
  readonly room: WatchedRoom;
  /** The watch is over before it began: the user's access ended, or the connection closed. */
  ended: boolean;
}

type Step = Pick<LogEvent, 'event' | 'user'>;

/** More events than this ahead of a gap are not kept: the members are read anew. */
const MAX_AHEAD = 1_000;

/**
 * One room that somebody here watches: its watchers, and its members, kept up to date from the room's log.
 *
 * - unread: the cursor is null; events wait for the first read.
 * - followed: `members` is right as of the cursor. Events behind it are old, the next one is applied, later ones wait for the gap's read.
 * - closed: nobody watches; it holds nothing, and takes nothing.
 * - large: `members` is empty, since changes in large rooms are not announced. So it stays until a read finds it small. A room that
 *   grows by joins that make no event counts as small until it is read again.
 *
 * An end of access counts at once, also ahead of a gap.
 */
export class WatchedRoom {
  readonly watchers = new Set<Watcher>();
  readonly entries = new Set<Entry>();
  readonly members = new Set<string>();
  #cursor: number | null = null;
  #epoch: string | null = null;
  #isLarge = false;
  #isClosed = false;
  /** The highest head that was heard of. */
  #heard = 0;
  readonly #ahead = new Map<number, Step>();

  /** @param dropped is called with each watcher whose watch ends by the room. */
  constructor(
    readonly id: string,
    private readonly users: WatchedUsers,
    private readonly dropped: (watcher: Watcher) => void,
  ) {}

  /** @returns whether the members must be read. */
  note({ epoch, headSeq, events }: RoomNote): boolean {
    this.#epoch ??= epoch;
    const isOtherEpoch = epoch !== this.#epoch;
    for (const { seq, event, user, ends } of events) {
      if (!isOtherEpoch && (seq <= (this.#cursor ?? 0) || this.#ahead.has(seq))) continue;
      if (ends !== null) this.end(user);
      if (!isOtherEpoch && !this.#isLarge) this.#ahead.set(seq, { event, user });
    }
    if (isOtherEpoch) return true;
    if (this.#ahead.size > MAX_AHEAD) this.#ahead.clear();
    this.#advance();
    return this.learnHead(headSeq);
  }

  /** The log is known to have grown to `head`. @returns whether the members must be read. */
  learnHead(head: number): boolean {
    this.#heard = Math.max(this.#heard, head);
    return this.#hasGap();
  }

  /** Takes what was read. @returns whether it must be read again, since more was heard of. */
  take(read: MembersRead | null): boolean {
    if (read === null) {
      this.end(null);
      this.#clear();
      return false;
    }
    if (read.epoch !== this.#epoch) this.#begin(read.epoch);
    else if (this.#cursor !== null && read.headSeq < this.#cursor) return false;
    this.#isLarge = read.members === null;
    if (read.members === null) {
      this.#clear();
      return false;
    }
    this.#cursor = read.headSeq;
    this.#replaceMembers(new Set(read.members));
    if (this.#isClosed) return false;
    for (const seq of this.#ahead.keys()) if (seq <= this.#cursor) this.#ahead.delete(seq);
    this.#advance();
    return this.#hasGap();
  }

  /** The user's access ended without an event of its own. */
  remove(user: string): void {
    this.end(user);
    if (this.members.delete(user)) this.users.exclude(user, this);
  }

  /** Ends the watches of the user, or everybody's. */
  end(user: string | null): void {
    for (const watcher of this.watchers) {
      if (user !== null && watcher.userId !== user) continue;
      this.watchers.delete(watcher);
      this.dropped(watcher);
    }
    for (const entry of this.entries) if (user === null || entry.watcher.userId === user) entry.ended = true;
  }

  /** Nobody watches the room any more. */
  close(): void {
    this.#isClosed = true;
    this.#clear();
  }

  #clear(): void {
    for (const user of this.members) this.users.exclude(user, this);
    this.members.clear();
    this.#ahead.clear();
    this.#cursor = null;
  }

  #begin(epoch: string): void {
    this.#epoch = epoch;
    this.#cursor = null;
    this.#heard = 0;
    this.#ahead.clear();
  }

  #hasGap(): boolean {
    return this.#cursor !== null && this.#heard > this.#cursor;
  }

  #advance(): void {
    // An end of access may close the room, and the cursor is then null.
    while (this.#cursor !== null) {
      const step = this.#ahead.get(this.#cursor + 1);
      if (!step) return;
      this.#ahead.delete(++this.#cursor);
      if (step.event === 'member.joined') this.#add(step.user!);
      else if (step.event === 'member.left') this.remove(step.user!);
    }
  }

  #add(user: string): void {
    if (this.members.has(user)) return;
    this.members.add(user);
    this.users.include(user, this);
    this.users.learnLater([user]);
  }

  #replaceMembers(members: Set<string>): void {
    for (const watcher of this.watchers) if (!members.has(watcher.userId)) this.end(watcher.userId);
    if (this.#isClosed) return;
    for (const user of this.members) {
      if (members.has(user)) continue;
      this.members.delete(user);
      this.users.exclude(user, this);
    }
    for (const user of members) {
      this.members.add(user);
      this.users.include(user, this);
    }
  }
}
