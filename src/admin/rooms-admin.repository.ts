import { Injectable } from '@nestjs/common';
import { Conditions, containing, isSet } from '../database/conditions.js';
import { Sql, type Statement } from '../database/sql.js';
import type { RoomType, RoomView } from '../protocol/index.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import { ROOM_COLUMNS, type RoomRow } from '../rooms/room-statements.js';
import { type PageRequest, viewOfRow } from '../rooms/rooms.repository.js';

export interface RoomFilter {
  /** A part of the name, in any case. */
  q?: string | undefined;
  type?: RoomType | undefined;
  archived?: boolean | undefined;
  /** A user who is a member. */
  member?: string | undefined;
}

export interface RoomContents {
  members: number;
  messages: number;
  bans: number;
}

/** A room, deleted or not, with what its members lose by that: it lies there as it was left. */
export interface RemovableRoom {
  isDeleted: boolean;
  view: RoomView;
  contents: RoomContents;
}

// Every seq is a message's or an event's, so that messages need not be counted: there are more of them.
const REMOVABLE_ROOM: Statement = {
  name: 'removable_room',
  text: `SELECT ${ROOM_COLUMNS},
      (r.last_seq - r.first_seq + 1 - (SELECT count(*) FROM room_events e WHERE e.room_id = r.id AND e.seq >= r.first_seq))::float8 AS messages,
      (SELECT count(*)::integer FROM room_bans b WHERE b.room_id = r.id AND (b.until IS NULL OR b.until > now())) AS bans
    FROM rooms r WHERE r.id = $1`,
};

interface RemovableRow extends RoomRow {
  messages: number;
  bans: number;
}

/** What administrators read of rooms: all but deleted ones. */
@Injectable()
export class RoomsAdminRepository {
  constructor(private readonly sql: Sql) {}

  /** The newest first. */
  async list({ q, type, archived, member }: RoomFilter, { cursor, limit }: PageRequest): Promise<Page<RoomView>> {
    const list = new PageCursor('id', 'admin-rooms', JSON.stringify([q, type, archived, member]));
    const [before] = list.read(cursor) ?? [null];
    const conditions = new Conditions('r.deleted_at IS NULL')
      .add('r.id < ?', before)
      .add('r.name ILIKE ?', q === undefined ? undefined : containing(q))
      .add('r.type = ?', type)
      .also(isSet('r.archived_at', archived))
      .add('r.id IN (SELECT m.room_id FROM memberships m WHERE m.user_id = ?)', member);
    const text = `SELECT ${ROOM_COLUMNS} FROM rooms r ${conditions.where} ORDER BY r.id DESC LIMIT ${conditions.parameter(limit + 1)}`;
    const rows = await this.sql.query<RoomRow>({ text }, conditions.values);
    return list.page(rows, limit, ({ id }) => [id], viewOfRow);
  }

  /** Null when there never was such a room. */
  async removable(room: string): Promise<RemovableRoom | null> {
    const [row] = await this.sql.query<RemovableRow>(REMOVABLE_ROOM, [room]);
    if (!row) return null;
    const { member_count: members, messages, bans } = row;
    return { isDeleted: row.deleted_at !== null, view: viewOfRow(row), contents: { members, messages, bans } };
  }
}
