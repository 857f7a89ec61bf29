import type { RecordedAct } from '../bus/room-bus.js';
import type { Statement } from '../database/sql.js';
import type { Meta, Role, RoomType } from '../protocol/index.js';

// Every column that a room's view needs.
export const ROOM_COLUMNS = `r.id, r.type, r.name, r.topic, r.meta, r.epoch, r.first_seq, r.last_seq, r.last_at, r.member_count, r.created_by, r.created_at,
  r.archived_at, r.deleted_at`;

// A list's start, written so that the index is entered there.
const LAST_ID = `'ffffffff-ffff-ffff-ffff-ffffffffffff'`;

export interface RoomRow {
  id: string;
  type: RoomType;
  name: string | null;
  topic: string | null;
  meta: Meta;
  epoch: string;
  first_seq: string;
  last_seq: string;
  last_at: Date;
  member_count: number;
  created_by: string;
  created_at: Date;
  archived_at: Date | null;
  deleted_at: Date | null;
}

/** A room with its first members, or no row when a room with this creation key, or a direct room of these members, is there already. */
export const INSERT_ROOM: Statement = {
  name: 'insert_room',
  text: `WITH r AS (
      INSERT INTO rooms (id, type, name, topic, meta, epoch, member_count, created_by, creation_key, direct_key)
      VALUES ($1, $2, $3, $4, $5, $6, cardinality($7::text[]), $8, $9, $10)
      ON CONFLICT DO NOTHING
      RETURNING *
    ), m AS (
      INSERT INTO memberships (room_id, user_id, role, joined_at)
      SELECT r.id, u.user_id, u.role, r.created_at FROM r, unnest($7::text[], $11::text[]) AS u (user_id, role)
    )
    SELECT ${ROOM_COLUMNS}, (
      SELECT jsonb_agg(record_act_v1(jsonb_build_object('kind', 'room.added', 'room', r.id, 'users', t.users, 'role', t.role)))
      FROM (SELECT u.role, jsonb_agg(u.user_id) AS users FROM unnest($7::text[], $11::text[]) AS u (user_id, role) GROUP BY u.role) t
    ) AS acts
    FROM r`,
};

export interface InsertedRoomRow extends RoomRow {
  acts: RecordedAct[];
}

/** What stood in the way of `INSERT_ROOM`: the room of the creation key before that of the members. */
export const FIND_MADE_ROOM: Statement = {
  name: 'find_made_room',
  text: `SELECT ${ROOM_COLUMNS}, r.direct_key, m.role
    FROM rooms r LEFT JOIN memberships m ON m.room_id = r.id AND m.user_id = $1
    WHERE (r.created_by = $1 AND r.creation_key = $2) OR r.direct_key = $3
    ORDER BY (r.created_by = $1 AND r.creation_key = $2) IS TRUE DESC
    LIMIT 1`,
};

export interface MadeRoomRow extends RoomRow {
  direct_key: Buffer | null;
  /** The caller's. */
  role: Role | null;
}

export const FIND_ROOM: Statement = {
  name: 'find_room',
  text: `SELECT ${ROOM_COLUMNS} FROM rooms r WHERE r.id = $1 AND r.deleted_at IS NULL`,
};

export const MEMBERS_AMONG: Statement = {
  name: 'members_among',
  text: 'SELECT user_id FROM memberships WHERE room_id = $1 AND user_id = ANY ($2::text[])',
};

/** Public rooms that a user may find: not archived ones, nor those that he is banned from. Newest first. */
export const LIST_PUBLIC_ROOMS: Statement = {
  name: 'list_public_rooms_v2',
  text: `SELECT ${ROOM_COLUMNS} FROM rooms r
    WHERE r.type = 'public' AND r.deleted_at IS NULL AND r.archived_at IS NULL
      AND (r.created_at, r.id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, ${LAST_ID}))
      AND ($4::text IS NULL OR r.name ILIKE $4)
      AND NOT EXISTS (SELECT FROM room_bans b WHERE b.room_id = r.id AND b.user_id = $1 AND (b.until IS NULL OR b.until > now()))
    ORDER BY r.created_at DESC, r.id DESC
    LIMIT $5`,
};

/** Ids are made in order of time, so that this is by the age of the rooms, newest first, straight from the index. */
export const LIST_MY_ROOMS: Statement = {
  name: 'list_my_rooms',
  text: `SELECT ${ROOM_COLUMNS}, p.role, p.read_seq, unread.count AS unread,
      last.seq AS message_seq, last.last_seq AS message_last_seq, last.sender_id, last.client_id, last.text, last.meta AS message_meta,
      last.version, last.created_at AS sent_at, last.edited_at, last.deleted_at AS message_deleted_at
    FROM (
      SELECT m.room_id, m.role, m.read_seq FROM memberships m JOIN rooms x ON x.id = m.room_id
      WHERE m.user_id = $1 AND m.room_id < coalesce($2::uuid, ${LAST_ID}) AND x.deleted_at IS NULL
      ORDER BY m.room_id DESC
      LIMIT $3
    ) p
    JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = p.room_id LIMIT 1) r ON true
    JOIN LATERAL (
      SELECT count(*)::integer AS count FROM (
        SELECT FROM messages x
        WHERE x.room_id = p.room_id AND x.seq > p.read_seq AND x.sender_id <> $1 AND x.deleted_at IS NULL
        LIMIT $4
      ) found
    ) unread ON true
    LEFT JOIN LATERAL (SELECT * FROM messages x WHERE x.room_id = p.room_id ORDER BY x.seq DESC LIMIT 1) last ON true
    ORDER BY p.room_id DESC`,
};

export interface MyRoomRow extends RoomRow {
  role: Role;
  read_seq: string;
  unread: number;
  /** Null, and all that follows, where the room has no message. */
  message_seq: string | null;
  message_last_seq: string;
  sender_id: string;
  client_id: string;
  text: string;
  message_meta: Meta;
  version: number;
  sent_at: Date;
  edited_at: Date | null;
  message_deleted_at: Date | null;
}
