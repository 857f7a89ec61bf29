import { Injectable } from '@nestjs/common';
import { Batcher, LATER } from '../database/batcher.js';
import { Sql } from '../database/sql.js';
import { Storm } from '../database/storm.js';
import { ChatError } from '../errors/chat-error.js';
import {
  type ClosedReason,
  type DurableEvent,
  type DurableEvents,
  durableJson,
  LIMITS,
  type Meta,
  type Role,
  type RoomType,
  type Since,
} from '../protocol/index.js';
import { LogTail, type Missed, NOTHING_MISSED } from './log-tail.js';
import { messageView } from './message.entity.js';
import { FOLLOW, READ_AFTER } from './replay-statements.js';

/** A durable event read from the log. `json` is its whole frame as text; a message in it is shown as it stands. */
export interface ReplayedEvent {
  seq: number;
  event: DurableEvent;
  user: string | null;
  ends: ClosedReason | null;
  json: string;
}

export interface FollowRequest {
  room: string;
  user: string;
  since?: Since | undefined;
}

/** What one statement, so one moment, says of a room and of a user in it. */
export interface FollowSnapshot extends Missed<ReplayedEvent> {
  room: { id: string; type: RoomType; epoch: string; firstSeq: number; headSeq: number; archived: boolean };
  role: Role | null;
  banned: boolean;
  /** The user's read mark; 0 for a non-member. */
  readSeq: number;
  /** With `since`: whether `events` are all that came after it. Never in part. */
  recovered: boolean;
  /** The statement's snapshot (`pg_current_snapshot`): tells which transactions it saw. */
  snapshot: string;
}

interface GapRequest {
  room: string;
  after: number;
}

export interface LogPage {
  epoch: string;
  headSeq: number;
  events: ReplayedEvent[];
}

interface EventRow {
  seq: string;
  event: DurableEvent;
  at: Date;
  user_id: string | null;
  ends: ClosedReason | null;
  data: object | null;
  message_seq: string | null;
  last_seq: string;
  sender_id: string;
  client_id: string;
  body: string;
  meta: Meta;
  version: number;
  created_at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
}

/** Rooms and users of one follow statement. */
const MAX_FOLLOWS = 1_000;
/** What one statement may read of the log, at worst. */
const MAX_READ_BYTES = 16_777_216;
/** No event has more: the longest text in UTF-8, the largest meta, and the rest. */
const MAX_EVENT_BYTES = 3 * LIMITS.textChars + LIMITS.metaBytes + 1_024;
/** Gaps are read in pieces, so that one statement can serve many rooms. */
const GAP_PAGE_BYTES = 65_536;
/** Follows that are enough for a statement, when clients come back in a herd. */
const GATHERED_FOLLOWS = 500;

const overflow = () => new ChatError('unavailable', 'Too much is waiting to be read.', { retryAfterMs: 1000 });

/**
 * Reads the log back. Requests that come while a statement runs share the next one, and those of one room share what is read of it: the
 * events are read and encoded once, from the earliest `since` on, and each request is cut its own from that.
 */
@Injectable()
export class RoomReplay {
  readonly #follows: Batcher<FollowRequest, FollowSnapshot | null>;

  readonly #gaps = new Batcher<GapRequest, LogPage | null>((requests) => this.#readAfter(requests), {
    maxItems: MAX_READ_BYTES / GAP_PAGE_BYTES,
    maxWaiting: 100_000,
    overflow,
  });

  constructor(
    private readonly sql: Sql,
    storm: Storm,
  ) {
    this.#follows = new Batcher((requests) => this.#follow(requests), {
      maxItems: MAX_FOLLOWS,
      maxWaiting: 50_000,
      overflow,
      gather: storm.gathering(GATHERED_FOLLOWS),
    });
  }

  /** Head, membership and missed events, read by one statement that starts after this call. Null: there is no such room. */
  follow(request: FollowRequest): Promise<FollowSnapshot | null> {
    return this.#follows.add(request);
  }

  /** The next events behind `after`, without a gap: some of them when there are many, none when there are none. Null: no such room. */
  readAfter(room: string, after: number): Promise<LogPage | null> {
    return this.#gaps.add({ room, after });
  }

  /** A page of the log of one room that is known to exist. */
  async eventsAfter(room: string, after: number, limit: number, maxBytes: number): Promise<LogPage | null> {
    return (await this.#read([{ room, after }], limit, maxBytes))[0]!;
  }

  #readAfter(requests: GapRequest[]): Promise<(LogPage | null)[]> {
    return this.#read(requests, LIMITS.replayEvents, GAP_PAGE_BYTES);
  }

  async #read(requests: GapRequest[], limit: number, maxBytes: number): Promise<(LogPage | null)[]> {
    const rows = await this.sql.query<EventRow & { ord: string; epoch: string; head_seq: string }>(READ_AFTER, [
      requests.map(({ room }) => room),
      requests.map(({ after }) => after),
      limit,
      maxBytes,
    ]);
    const pages = requests.map((): LogPage | null => null);
    for (const row of rows) {
      const index = Number(row.ord) - 1;
      const page = (pages[index] ??= { epoch: row.epoch, headSeq: Number(row.head_seq), events: [] });
      if (row.seq !== null) page.events.push(replayed(requests[index]!.room, row));
    }
    return pages;
  }

  async #follow(requests: FollowRequest[]): Promise<(FollowSnapshot | null | typeof LATER)[]> {
    const rows = await this.sql.query<FollowRow>(FOLLOW, [
      requests.map(({ room }) => room),
      requests.map(({ user }) => user),
      requests.map(({ since }) => since?.epoch ?? null),
      requests.map(({ since }) => since?.seq ?? null),
      LIMITS.replayEvents,
      LIMITS.replayBytes,
      MAX_EVENT_BYTES,
      MAX_READ_BYTES,
    ]);
    const standings = new Map<number, FollowRow>();
    const read = new Map<string, ReplayedEvent[]>();
    for (const row of rows) {
      standings.set(Number(row.ord) - 1, row);
      if (row.seq === null) continue;
      const events = read.get(row.room_id) ?? [];
      read.set(row.room_id, events);
      events.push(replayed(row.room_id, row));
    }
    const tails = new Map([...read].map(([room, events]) => [room, new LogTail(events)]));
    return requests.map(({ since }, index) => {
      const row = standings.get(index);
      if (!row) return null;
      return row.is_later ? LATER : { ...standing(row), ...replay(row, since, tails.get(row.room_id)), snapshot: rows[0]!.snapshot! };
    });
  }
}

interface FollowRow extends EventRow {
  ord: string;
  room_id: string;
  type: RoomType;
  epoch: string;
  first_seq: string;
  head_seq: string;
  archived: boolean;
  role: Role | null;
  read_seq: string | null;
  banned: boolean;
  /** He missed something that he may have, as far as can be told without reading it. Null without `since`. */
  may_replay: boolean | null;
  is_later: boolean | null;
  /** In the first row only. */
  snapshot: string | null;
}

function standing(row: FollowRow): Pick<FollowSnapshot, 'room' | 'role' | 'banned' | 'readSeq'> {
  const { room_id: id, type, epoch, archived, role, banned } = row;
  const room = { id, type, epoch, archived, firstSeq: Number(row.first_seq), headSeq: Number(row.head_seq) };
  return { room, role, banned, readSeq: Number(row.read_seq ?? 0) };
}

// The log has no gaps, so counting tells whether a replay is whole.
function replay(
  row: FollowRow,
  since: Since | undefined,
  tail: LogTail<ReplayedEvent> | undefined,
): Pick<FollowSnapshot, 'recovered' | keyof Missed<ReplayedEvent>> {
  const { epoch, first_seq: firstSeq, head_seq: headSeq, may_replay: mayReplay } = row;
  const isKnown = since !== undefined && since.epoch === epoch && since.seq >= Number(firstSeq) - 1;
  const missing = isKnown ? Number(headSeq) - since.seq : -1;
  const missed = missing === 0 ? NOTHING_MISSED : mayReplay === true && tail ? tail.last(missing) : null;
  return { recovered: missed !== null, ...(missed ?? NOTHING_MISSED) };
}

function replayed(room: string, row: EventRow): ReplayedEvent {
  const seq = Number(row.seq);
  const data = row.message_seq === null ? row.data : messageView(messageOf(row));
  const json = durableJson(row.event, room, seq, row.at.toISOString(), data as DurableEvents[DurableEvent]);
  return { seq, event: row.event, user: row.user_id, ends: row.ends, json };
}

function messageOf(row: EventRow): Parameters<typeof messageView>[0] {
  return {
    seq: Number(row.message_seq),
    lastSeq: Number(row.last_seq),
    senderId: row.sender_id,
    clientId: row.client_id,
    text: row.body,
    meta: row.meta,
    version: row.version,
    createdAt: row.created_at,
    editedAt: row.edited_at,
    deletedAt: row.deleted_at,
  };
}
