import type { LogEvent, RoomNote } from '../bus/room-bus.js';
import { sawTransaction } from '../log/transaction-snapshot.js';
import type { ClosedReason } from '../protocol/index.js';
import { Ahead } from './ahead.js';

/** Where a subscription writes. */
export interface Follower {
  readonly userId: string;
  /** Queues whole frames for the socket. */
  write(frames: Buffer): void;
  /** Takes an ephemeral frame; a slow connection keeps only the last of each key. */
  deliver(frame: Buffer, key: string): void;
  /** The subscription is over: the last thing it hears of the room. */
  endSubscription(room: string, reason: ClosedReason): void;
}

/** One place in the log. */
export type Entry = Pick<LogEvent, 'seq' | 'user' | 'ends' | 'frame' | 'trace'> & {
  /**
   * Only an end of access without an event has it: the log's head at that time, and its transaction. Such an entry has an empty frame, and
   * the seq of the entry that it comes behind, which is later where it was told late.
   */
  silent?: { endedAt: number; xid: string };
};

type SilentEntry = Entry & Required<Pick<Entry, 'silent'>>;

/** What a subscription's first read saw of the room. */
export interface FirstRead {
  epoch: string;
  headSeq: number;
  snapshot: string;
}

/**
 * A connection's place in a room.
 * States: *opening* (cursor null: its first read is under way, it is sent nothing), *live* (cursor: the last seq it has), *over*.
 */
export interface Subscription {
  readonly stream: RoomStream;
  readonly follower: Follower;
  cursor: number | null;
  /** The snapshot of the first read (`pg_current_snapshot`). */
  snapshot: string;
}

export interface StreamHost {
  /** The stream has entries to flush at the end of this turn. */
  dirty(stream: RoomStream): void;
  /** The stream lacks events that the log has. `known` is a head that the log has reached. */
  gap(stream: RoomStream): void;
  /** Each of so many subscribers was written the whole batch. */
  wrote(stream: RoomStream, batch: readonly Entry[], receivers: number): void;
  /** One subscriber was written one event, alone. */
  wroteOne(): void;
  /** One of the stream's subscriptions is over, whatever ended it. */
  left(stream: RoomStream): void;
}

/** What opening subscriptions may miss is kept for them up to this many bytes; beyond it they start over. */
const MAX_HELD_BYTES = 4_194_304;

/**
 * A room's log as the sockets of this instance follow it. Notes go in, late, twice, out of order or not at all; every live subscription
 * is written each event behind its cursor once, in seq order, without a gap. What is ahead waits until the log was read up to it.
 */
export class RoomStream {
  readonly #subscriptions = new Set<Subscription>();
  /** The live ones, at most one a follower. */
  readonly #live = new Map<Follower, Subscription>();
  readonly #ahead = new Ahead<Entry>();
  #silentEnds: SilentEntry[] = [];
  #batch: Entry[] = [];
  /** Flushed while some subscription was opening: it may need them after its first read. */
  #held: Entry[] = [];
  #heldBytes = 0;
  #opening = 0;
  #epoch: string | null = null;
  /** The last seq that was put in a batch; null until the first subscription is live. */
  #position: number | null = null;
  #knownHead = 0;

  constructor(
    readonly room: string,
    private readonly host: StreamHost,
  ) {}

  get size(): number {
    return this.#subscriptions.size;
  }

  /** So much happened during a first read that it had better begin anew. */
  get isOverfull(): boolean {
    return this.#heldBytes > MAX_HELD_BYTES;
  }

  get position(): number | null {
    return this.#position;
  }

  /** Events up to `#knownHead` are in the log and not here. */
  get hasGap(): boolean {
    return this.#position !== null && this.#knownHead > this.#position;
  }

  /** From here on nothing is missed: call before the first read begins. */
  open(follower: Follower): Subscription {
    const subscription: Subscription = { stream: this, follower, cursor: null, snapshot: '' };
    this.#subscriptions.add(subscription);
    this.#opening++;
    return subscription;
  }

  /**
   * The first read is done: the follower has everything up to `headSeq`, and is written what comes behind it, at once what was held.
   * An older subscription of the same follower is replaced.
   */
  goLive(subscription: Subscription, { epoch, headSeq, snapshot }: FirstRead): void {
    this.#adopt(epoch, headSeq);
    const replaced = this.#live.get(subscription.follower);
    if (replaced) this.#remove(replaced);
    this.#live.set(subscription.follower, subscription);
    subscription.cursor = headSeq;
    subscription.snapshot = snapshot;
    this.#deliverEach(subscription, this.#held);
    if (this.#subscriptions.has(subscription)) this.#rewindTo(subscription.cursor);
    this.#opened();
  }

  leave(subscription: Subscription): void {
    if (!this.#remove(subscription)) return;
    if (subscription.cursor === null) this.#opened();
  }

  take(note: RoomNote): void {
    if (this.#epoch !== null && note.epoch !== this.#epoch) return this.reset(note.epoch, note.headSeq);
    for (const event of note.events) this.#place(event);
    this.learnHead(note.headSeq);
  }

  /** The log is known to have grown to `head`. */
  learnHead(head: number): void {
    if (head > this.#knownHead) this.#knownHead = head;
    if (this.hasGap) this.host.gap(this);
  }

  /** A user's access ended without an event of its own, when the log's head was `atSeq`. */
  endSilently(user: string, reason: ClosedReason, atSeq: number, xid: string): void {
    this.#silentEnds.push({ seq: atSeq, user, ends: reason, frame: Buffer.alloc(0), silent: { endedAt: atSeq, xid } });
    this.#pushSilentEnds();
    this.learnHead(atSeq);
  }

  /** Seqs could have been used twice: whoever follows the old ones is told so. */
  reset(epoch: string, headSeq: number): void {
    for (const subscription of this.#subscriptions) if (subscription.cursor !== null) this.#end(subscription, 'reset');
    this.#epoch = epoch;
    this.#position = headSeq;
    this.#knownHead = headSeq;
    this.#ahead.clear();
    this.#batch = [];
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** Writes this turn's entries. The frames become one buffer that all sockets share; it is cut where somebody's access ends. */
  flush(): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    const first = batch[0]!.seq;
    const last = batch[batch.length - 1]!.seq;
    const shared = batch.length === 1 ? batch[0]!.frame : Buffer.concat(batch.map(({ frame }) => frame));
    const leavers = endedUsers(batch);
    let wholes = 0;
    for (const subscription of this.#subscriptions) {
      if (subscription.cursor === null) continue;
      if (subscription.cursor < first && !leavers?.has(subscription.follower.userId) && !leavers?.has(null)) {
        subscription.cursor = last;
        if (shared.length > 0) subscription.follower.write(shared);
        wholes++;
      } else {
        this.#deliverEach(subscription, batch);
      }
    }
    this.host.wrote(this, batch, wholes);
    if (this.#opening > 0) {
      this.#held.push(...batch);
      this.#heldBytes += shared.length;
    }
  }

  /** An ephemeral frame to everyone live, but for `exceptUser`. */
  *audience(exceptUser: string | undefined): Iterable<Follower> {
    for (const { cursor, follower } of this.#subscriptions) if (cursor !== null && follower.userId !== exceptUser) yield follower;
  }

  #adopt(epoch: string, headSeq: number): void {
    if (this.#epoch !== null && this.#epoch !== epoch) this.reset(epoch, headSeq);
    this.#epoch = epoch;
    if (this.#position === null) {
      this.#position = headSeq;
      this.#ahead.dropUpTo(headSeq);
      this.#advance();
    }
    this.learnHead(headSeq);
  }

  // The stream began with the read of another, who saw a later head: what lies between is read from the log. The others have it
  // already, and skip it.
  #rewindTo(cursor: number): void {
    const nextDue = this.#batch.find((entry) => !isSilent(entry))?.seq ?? this.#position! + 1;
    if (cursor + 1 >= nextDue) return;
    this.#silentEnds.push(...[...this.#held, ...this.#batch].filter(isSilent).filter(({ silent }) => silent.endedAt >= cursor));
    this.#batch = [];
    const head = this.#position!;
    this.#position = cursor;
    this.#advance();
    this.learnHead(head);
  }

  #place(event: Entry): void {
    if (this.#position !== null && event.seq <= this.#position) return;
    this.#ahead.put(event);
    this.#advance();
  }

  #advance(): void {
    if (this.#position === null) return;
    this.#pushSilentEnds();
    let next = this.#ahead.take(this.#position + 1);
    while (next) {
      this.#position = next.seq;
      this.#push(next);
      this.#pushSilentEnds();
      next = this.#ahead.take(next.seq + 1);
    }
  }

  #pushSilentEnds(): void {
    const position = this.#position;
    if (this.#silentEnds.length === 0 || position === null) return;
    const isDue = ({ silent }: SilentEntry) => silent.endedAt <= position;
    const due = this.#silentEnds.filter(isDue);
    this.#silentEnds = this.#silentEnds.filter((entry) => !isDue(entry));
    for (const entry of due) this.#push({ ...entry, seq: position });
  }

  #push(entry: Entry): void {
    this.#batch.push(entry);
    this.host.dirty(this);
  }

  #deliverEach(subscription: Subscription, entries: readonly Entry[]): void {
    const { follower } = subscription;
    for (const entry of entries) {
      const { seq, user, ends, frame } = entry;
      if (isSilent(entry)) {
        // Who began to follow after that end does so by a right of his own.
        if (sawTransaction(subscription.snapshot, entry.silent.xid)) continue;
      } else {
        if (seq <= subscription.cursor!) continue;
        if (seq > subscription.cursor! + 1) return;
        subscription.cursor = seq;
        follower.write(frame);
        this.host.wroteOne();
      }
      if (ends && (user === null || user === follower.userId)) return this.#end(subscription, ends);
    }
  }

  #remove(subscription: Subscription): boolean {
    const isThere = this.#subscriptions.delete(subscription);
    if (this.#live.get(subscription.follower) === subscription) this.#live.delete(subscription.follower);
    if (isThere) this.host.left(this);
    return isThere;
  }

  #end(subscription: Subscription, reason: ClosedReason): void {
    this.#remove(subscription);
    subscription.follower.endSubscription(this.room, reason);
  }

  #opened(): void {
    if (--this.#opening > 0) return;
    this.#held = [];
    this.#heldBytes = 0;
  }
}

function isSilent(entry: Entry): entry is SilentEntry {
  return entry.silent !== undefined;
}

/** Whose access ends in the batch; null in it stands for everybody. Null: nobody's, as nearly always. */
function endedUsers(batch: readonly Entry[]): Set<string | null> | null {
  let users: Set<string | null> | null = null;
  for (const { user, ends } of batch) if (ends) (users ??= new Set()).add(user);
  return users;
}
