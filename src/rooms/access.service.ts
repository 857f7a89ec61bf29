import { Injectable } from '@nestjs/common';
import { Mutes } from '../auth/mutes.js';
import type { Mute } from '../auth/sanctions.js';
import { Batcher } from '../database/batcher.js';
import { Sql, type Statement } from '../database/sql.js';
import { Storm } from '../database/storm.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import type { Role, RoomType } from '../protocol/index.js';
import { type Caller, callerId, standingOf } from './caller.js';
import { refusal, type RoomAction } from './room-access.js';

/** A room to which access was granted, as it stood at that moment. */
export interface AccessedRoom {
  id: string;
  type: RoomType;
  epoch: string;
  firstSeq: number;
  headSeq: number;
  memberCount: number;
  archived: boolean;
}

export interface Access {
  room: AccessedRoom;
  /** Null: a non-member who reads a public room. */
  role: Role | null;
  /** The user's read mark; 0 for a non-member. */
  readSeq: number;
}

interface Question {
  room: string;
  user: string;
}

/** Questions that are enough for a statement, when clients come back in a herd. */
const GATHERED_QUESTIONS = 250;

export interface Standing extends Access {
  /** From this room. */
  banned: boolean;
  /** In this room. */
  muted: Mute | null;
}

const STANDINGS: Statement = {
  name: 'room_standings_v2',
  text: `SELECT q.ord, r.id, r.type, r.epoch, r.first_seq, r.last_seq, r.member_count, r.archived_at IS NOT NULL AS archived,
      m.role, m.read_seq, b.user_id IS NOT NULL AS banned, u.user_id IS NOT NULL AS muted, u.until AS muted_until
    FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS q (room_id, user_id, ord)
    JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = q.room_id AND x.deleted_at IS NULL LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT x.role, x.read_seq FROM memberships x WHERE x.room_id = q.room_id AND x.user_id = q.user_id LIMIT 1) m ON true
    LEFT JOIN LATERAL (
      SELECT x.user_id FROM room_bans x WHERE x.room_id = q.room_id AND x.user_id = q.user_id AND (x.until IS NULL OR x.until > now()) LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
      SELECT x.user_id, x.until FROM room_mutes x WHERE x.room_id = q.room_id AND x.user_id = q.user_id AND (x.until IS NULL OR x.until > now()) LIMIT 1
    ) u ON true`,
};

interface StandingRow {
  ord: string;
  id: string;
  type: RoomType;
  epoch: string;
  first_seq: string;
  last_seq: string;
  member_count: number;
  archived: boolean;
  role: Role | null;
  read_seq: string | null;
  banned: boolean;
  muted: boolean;
  muted_until: Date | null;
}

/** Asks the database who a user is in a room, in batches, and `room-access` whether that will do. */
@Injectable()
export class RoomAccess {
  readonly #standings: Batcher<Question, Standing | null>;

  constructor(
    private readonly sql: Sql,
    private readonly mutes: Mutes,
    storm: Storm,
  ) {
    this.#standings = new Batcher((questions) => this.#read(questions), {
      maxItems: 500,
      maxWaiting: 50_000,
      overflow: () => new ChatError('unavailable', 'Too much is waiting to be read.', { retryAfterMs: 1000 }),
      gather: storm.gathering(GATHERED_QUESTIONS),
    });
  }

  /**
   * What it answers was read after the call, and may have changed since: an act that must not race with a kick is judged again under
   * the room's lock.
   * @throws {ChatError} not_found, in the same words for no such room and for another's; forbidden; conflict when the room is archived
   */
  async require(caller: Caller, room: string, action: RoomAction): Promise<Access> {
    const standing = await this.find(callerId(caller), room);
    if (!standing) throw roomNotFound();
    const { banned, muted, ...access } = standing;
    const serverMuted = this.mutes.find(callerId(caller));
    const refused = refusal(action, { room: access.room, muted, serverMuted, ...standingOf(caller, { role: access.role, banned }) });
    if (refused) throw refused;
    return access;
  }

  /** Who the user is in the room, whatever he may; null when there is no such room. */
  find(user: string, room: string): Promise<Standing | null> {
    return this.#standings.add({ room, user });
  }

  async #read(questions: Question[]): Promise<(Standing | null)[]> {
    const rows = await this.sql.query<StandingRow>(STANDINGS, [questions.map(({ room }) => room), questions.map(({ user }) => user)]);
    const standings = questions.map((): Standing | null => null);
    for (const row of rows) standings[Number(row.ord) - 1] = standingOfRow(row);
    return standings;
  }
}

function standingOfRow(row: StandingRow): Standing {
  const { id, type, epoch, member_count: memberCount, archived, role, banned } = row;
  const room = { id, type, epoch, firstSeq: Number(row.first_seq), headSeq: Number(row.last_seq), memberCount, archived };
  return { room, role, readSeq: Number(row.read_seq ?? 0), banned, muted: row.muted ? { until: row.muted_until } : null };
}
