import type { Statement } from '../database/sql.js';
import type { Meta } from '../protocol/index.js';

// One room, or all: written so that the primary key of rooms is entered either way.
const FIRST = `'00000000-0000-0000-0000-000000000000'`;
const LAST = `'ffffffff-ffff-ffff-ffff-ffffffffffff'`;

// There is no index of messages by sender alone: it would be one more to write with each message. A user's are found by asking each room
// by (room, sender), a look-up of microseconds, which these rare reads can afford.
const OF_SENDER = `SELECT m.room_id, m.seq
    FROM rooms r CROSS JOIN LATERAL (
      SELECT x.room_id, x.seq FROM messages x
      WHERE x.room_id = r.id AND x.sender_id = $1::text AND x.deleted_at IS NULL
        AND ($3::timestamptz IS NULL OR x.created_at >= $3) AND ($4::timestamptz IS NULL OR x.created_at < $4)
      OFFSET 0
    ) m
    WHERE r.deleted_at IS NULL AND r.id BETWEEN coalesce($2::uuid, ${FIRST}) AND coalesce($2::uuid, ${LAST})`;

/** $1 sender, $2 room, $3 from, $4 to, $5 how many */
export const MESSAGES_OF_SENDER: Statement = {
  name: 'messages_of_sender',
  text: `${OF_SENDER} ORDER BY m.room_id, m.seq LIMIT $5`,
};

export interface SenderMessageRow {
  room_id: string;
  seq: string;
}

export const COUNT_OF_SENDER: Statement = {
  name: 'count_of_sender',
  text: `SELECT count(*)::integer AS messages, count(DISTINCT f.room_id)::integer AS rooms FROM (${OF_SENDER}) f`,
};

export interface SenderCountRow {
  messages: number;
  rooms: number;
}

// The rooms that a page visits. Where nothing was since $3, nothing can be found.
const VISITED = `SELECT r.id FROM rooms r
    WHERE r.id BETWEEN coalesce($2::uuid, $6::uuid, ${FIRST}) AND coalesce($2::uuid, ${LAST}) AND ($5::boolean OR r.deleted_at IS NULL)
      AND ($3::timestamptz IS NULL OR r.last_at >= $3)
    ORDER BY r.id LIMIT $11::integer`;

/**
 * Messages by room, in a room the newest first, behind ($6 room, $7 seq): $1 sender, $2 room, $3 from, $4 to, $5 whether deleted ones, and those of deleted rooms, too,
 * $8 how many are looked at, $9 the pattern of the text, $10 how many are wanted, $11 how many rooms are visited. What was looked at or visited
 * and does not match counts, so that a page costs what it costs, however rare the text is; `end_room` and `end_seq` say where the looking
 * ended, when that was not at the end. The text of a removed message is what was removed.
 */
const search = (which: string) => `WITH looked AS MATERIALIZED (
      SELECT m.*, $9::text IS NULL OR coalesce(k.text, m.text) ILIKE $9 AS matches
      FROM (${VISITED}) r CROSS JOIN LATERAL (
        SELECT x.room_id, x.seq, x.last_seq, x.sender_id, x.client_id, x.text, x.meta, x.version, x.created_at, x.edited_at, x.deleted_at
        FROM messages x
        WHERE x.room_id = r.id AND ${which}
          AND ($3::timestamptz IS NULL OR x.created_at >= $3) AND ($4::timestamptz IS NULL OR x.created_at < $4)
          AND ($5::boolean OR x.deleted_at IS NULL)
        ORDER BY x.seq DESC LIMIT $8::integer
      ) m
      LEFT JOIN LATERAL (
        SELECT y.text FROM message_removals y
        WHERE m.deleted_at IS NOT NULL AND y.room_id = m.room_id AND y.seq = m.seq ORDER BY y.removed_seq DESC LIMIT 1
      ) k ON true
      ORDER BY r.id, m.seq DESC LIMIT $8::integer
    ), ends AS (
      (SELECT l.room_id, l.seq FROM looked l WHERE (SELECT count(*) FROM looked) = $8 ORDER BY l.room_id DESC, l.seq LIMIT 1)
      UNION ALL (SELECT v.id, 0 FROM (${VISITED}) v ORDER BY v.id OFFSET $11::integer - 1)
    )
    SELECT e.room_id AS end_room, e.seq AS end_seq, f.*
    FROM (SELECT) one
    LEFT JOIN LATERAL (SELECT x.room_id, x.seq FROM ends x ORDER BY x.room_id, x.seq DESC LIMIT 1) e ON true
    LEFT JOIN LATERAL (SELECT * FROM looked l WHERE l.matches ORDER BY l.room_id, l.seq DESC LIMIT $10::integer) f ON true
    ORDER BY f.room_id, f.seq DESC`;

const NEWEST = '9223372036854775807';

export const SEARCH_MESSAGES: Statement = {
  name: 'search_messages',
  // Ranges, so that even a plan of empty tables walks the primary key. Times are those of the seqs, which are looked up once a room.
  text: search(`$1::text IS NULL AND x.seq >= coalesce(message_seq_at_v1(r.id, $3), 0)
          AND x.seq < least(coalesce(message_seq_at_v1(r.id, $4), ${NEWEST}), CASE WHEN r.id = $6::uuid THEN $7::bigint ELSE ${NEWEST} END)`),
};

export const SEARCH_MESSAGES_OF: Statement = {
  name: 'search_messages_of',
  text: search('x.sender_id = $1::text AND (r.id = $6::uuid AND x.seq >= $7::bigint) IS NOT TRUE'),
};

export interface SearchRow {
  /** Null: everything was looked at. */
  end_room: string | null;
  end_seq: string | null;
  /** Null, as all that follow, where nothing matches. */
  room_id: string | null;
  seq: string;
  last_seq: string;
  sender_id: string;
  client_id: string;
  text: string;
  meta: Meta;
  version: number;
  created_at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
}
