import type { Statement } from '../database/sql.js';
import type { Role, RoomType } from '../protocol/index.js';

/**
 * Moves read marks forward, never beyond the head of the log, and counts what is unread behind them. One row back for each ask whose room
 * is there, "ord" from 1; asks of one user about one room must come once. Marks are locked in the order of their keys, so that batches of
 * several instances do not lock each other out.
 */
export const SET_READ_MARKS: Statement = {
  name: 'set_read_marks',
  text: `WITH asked AS (
      SELECT q.ord, q.room_id, q.user_id, least(q.seq, r.last_seq) AS target, r.type, r.archived_at IS NOT NULL AS archived, r.member_count,
        m.role, m.read_seq
      FROM unnest($1::uuid[], $2::text[], $3::bigint[]) WITH ORDINALITY AS q (room_id, user_id, seq, ord)
      JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = q.room_id AND x.deleted_at IS NULL LIMIT 1) r ON true
      LEFT JOIN LATERAL (SELECT x.role, x.read_seq FROM memberships x WHERE x.room_id = q.room_id AND x.user_id = q.user_id LIMIT 1) m ON true
    ), locked AS (
      SELECT m.room_id, m.user_id, a.target
      FROM asked a JOIN memberships m ON m.room_id = a.room_id AND m.user_id = a.user_id
      WHERE m.read_seq < a.target
      ORDER BY m.room_id, m.user_id
      FOR NO KEY UPDATE OF m
    ), moved AS (
      UPDATE memberships m SET read_seq = l.target FROM locked l
      WHERE m.room_id = l.room_id AND m.user_id = l.user_id AND m.read_seq < l.target
      RETURNING m.room_id, m.user_id
    )
    SELECT a.ord, a.type, a.archived, a.member_count, a.role, greatest(a.read_seq, a.target) AS read_seq, v.user_id IS NOT NULL AS moved,
      unread.count AS unread
    FROM asked a
    LEFT JOIN moved v ON v.room_id = a.room_id AND v.user_id = a.user_id
    LEFT JOIN LATERAL (
      SELECT count(*)::integer AS count FROM (
        SELECT FROM messages x
        WHERE a.role IS NOT NULL AND x.room_id = a.room_id AND x.seq > greatest(a.read_seq, a.target) AND x.sender_id <> a.user_id
          AND x.deleted_at IS NULL
        LIMIT $4
      ) behind
    ) unread ON true`,
};

export interface ReadMarkRow {
  ord: string;
  type: RoomType;
  archived: boolean;
  member_count: number;
  /** Null for a non-member, whose marks are not set. */
  role: Role | null;
  read_seq: string;
  moved: boolean;
  unread: number;
}

/** The marks of users in rooms, of those who are members. */
export const READ_MARKS: Statement = {
  name: 'read_marks',
  text: `SELECT m.room_id, m.user_id, m.read_seq
    FROM unnest($1::uuid[], $2::text[]) AS q (room_id, user_id)
    JOIN LATERAL (SELECT * FROM memberships x WHERE x.room_id = q.room_id AND x.user_id = q.user_id LIMIT 1) m ON true`,
};
