import { Injectable } from '@nestjs/common';
import { Batcher } from '../database/batcher.js';
import { Sql, type Statement } from '../database/sql.js';
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
import { messageView } from './message.entity.js';

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
export interface FollowSnapshot {
  room: { id: string; type: RoomType; epoch: string; firstSeq: number; headSeq: number; archived: boolean };
  role: Role | null;
  banned: boolean;
  /** The user's read mark; 0 for a non-member. */
  readSeq: number;
  /** With `since`: whether `events` are all that came after it. Never in part. */
  recovered: boolean;
  events: ReplayedEvent[];
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

const EVENT_COLUMNS = `e.seq, e.event, e.at, e.user_id, e.ends, e.data, e.message_seq, e.last_seq, e.sender_id, e.client_id, e.body, e.meta,
  e.version, e.created_at, e.edited_at, e.deleted_at`;

const FOLLOW: Statement = {
  name: 'follow_rooms',
  text: `SELECT q.ord, r.id AS room_id, r.type, r.epoch, r.first_seq, r.last_seq AS head_seq, r.archived_at IS NOT NULL AS archived,
      m.role, m.read_seq, b.user_id IS NOT NULL AS banned, ${EVENT_COLUMNS}
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS q (room_id, user_id, since_epoch, since_seq, ord)
    JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = q.room_id AND x.deleted_at IS NULL LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT x.role, x.read_seq FROM memberships x WHERE x.room_id = q.room_id AND x.user_id = q.user_id LIMIT 1) m ON true
    LEFT JOIN LATERAL (SELECT x.user_id FROM room_bans x WHERE x.room_id = q.room_id AND x.user_id = q.user_id LIMIT 1) b ON true
    LEFT JOIN LATERAL room_events_after_v1(q.room_id, q.since_seq, $5::integer, $6::bigint) e
      ON r.epoch = q.since_epoch AND q.since_seq >= r.first_seq - 1 AND r.last_seq - q.since_seq BETWEEN 1 AND $5::integer
      AND (m.role IS NOT NULL OR r.type = 'public')
    ORDER BY q.ord, e.seq`,
};

const READ_AFTER: Statement = {
  name: 'read_rooms_after',
  text: `SELECT q.ord, r.epoch, r.last_seq AS head_seq, ${EVENT_COLUMNS}
    FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS q (room_id, after_seq, ord)
    JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = q.room_id LIMIT 1) r ON true
    LEFT JOIN LATERAL room_events_after_v1(q.room_id, q.after_seq, $3::integer, $4::bigint) e ON true
    ORDER BY q.ord, e.seq`,
};

const overflow = () => new ChatError('unavailable', 'Too much is waiting to be read.', { retryAfterMs: 1000 });

/** Reads the log back. Requests that come while a statement runs share the next one. */
@Injectable()
export class RoomReplay {
  readonly #follows = new Batcher<FollowRequest, FollowSnapshot | null>((requests) => this.#follow(requests), {
    maxItems: 100,
    maxWaiting: 50_000,
    overflow,
  });

  readonly #gaps = new Batcher<GapRequest, LogPage | null>((requests) => this.#readAfter(requests), {
    maxItems: 100,
    maxWaiting: 100_000,
    overflow,
  });

  constructor(private readonly sql: Sql) {}

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
    return this.#read(requests, LIMITS.replayEvents, LIMITS.replayBytes);
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

  async #follow(requests: FollowRequest[]): Promise<(FollowSnapshot | null)[]> {
    const rows = await this.sql.query<FollowRow>(FOLLOW, [
      requests.map(({ room }) => room),
      requests.map(({ user }) => user),
      requests.map(({ since }) => since?.epoch ?? null),
      requests.map(({ since }) => since?.seq ?? null),
      LIMITS.replayEvents,
      LIMITS.replayBytes,
    ]);
    const snapshots = requests.map((): FollowSnapshot | null => null);
    for (const row of rows) {
      const index = Number(row.ord) - 1;
      const snapshot = (snapshots[index] ??= followSnapshot(row));
      if (row.seq !== null) snapshot.events.push(replayed(requests[index]!.room, row));
    }
    snapshots.forEach((snapshot, index) => snapshot && settleRecovery(snapshot, requests[index]!.since));
    return snapshots;
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
}

function followSnapshot(row: FollowRow): FollowSnapshot {
  const { room_id: id, type, epoch, archived, role, banned } = row;
  const room = { id, type, epoch, archived, firstSeq: Number(row.first_seq), headSeq: Number(row.head_seq) };
  return { room, role, banned, readSeq: Number(row.read_seq ?? 0), recovered: false, events: [] };
}

// The log has no gaps, so counting tells whether a replay is whole.
function settleRecovery(snapshot: FollowSnapshot, since: Since | undefined): void {
  const { room, events } = snapshot;
  const bytes = events.reduce((sum, event) => sum + Buffer.byteLength(event.json), 0);
  snapshot.recovered =
    since !== undefined &&
    since.epoch === room.epoch &&
    since.seq >= room.firstSeq - 1 &&
    since.seq <= room.headSeq &&
    events.length === room.headSeq - since.seq &&
    bytes <= LIMITS.replayBytes;
  if (!snapshot.recovered) snapshot.events = [];
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
