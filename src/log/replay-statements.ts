import type { Statement } from '../database/sql.js';

/** What every event row has, whichever statement reads it. */
const EVENT_COLUMNS = `e.seq, e.event, e.at, e.user_id, e.ends, e.data, e.message_seq, e.last_seq, e.sender_id, e.client_id, e.body, e.meta,
  e.version, e.created_at, e.edited_at, e.deleted_at`;

const MESSAGE_STATE = `m.last_seq, m.sender_id, m.client_id, m.text AS body, m.meta, m.version, m.created_at, m.edited_at, m.deleted_at`;

interface Stretch {
  room: string;
  after: string;
  order: 'ASC' | 'DESC';
  /** Events at most. */
  limit: string;
}

// Durable events of one room behind a seq, from one end on, with messages as they stand; `bytes` is what they come to up to each. Every part
// is entered by its key and ends by its LIMIT, so that a plan which was made while the tables were empty is still right when they are large.
const stretch = ({ room, after, order, limit }: Stretch) => `SELECT u.*, row_number() OVER w AS place,
      sum(300 + coalesce(octet_length(u.body) + pg_column_size(u.meta), 0) + coalesce(pg_column_size(u.data), 0)) OVER w AS bytes
    FROM (
      (SELECT m.seq, 'message.created' AS event, m.created_at AS at, m.sender_id AS user_id, NULL::text AS ends, NULL::jsonb AS data,
        m.seq AS message_seq, ${MESSAGE_STATE}
      FROM messages m WHERE m.room_id = ${room} AND m.seq > ${after} ORDER BY m.seq ${order} LIMIT ${limit})
      UNION ALL
      (SELECT x.seq, x.event, x.at, x.user_id, x.ends, x.data, x.message_seq, ${MESSAGE_STATE}
      FROM (SELECT * FROM room_events x WHERE x.room_id = ${room} AND x.seq > ${after} ORDER BY x.seq ${order} LIMIT ${limit}) x
      LEFT JOIN LATERAL (SELECT * FROM messages o WHERE o.room_id = ${room} AND o.seq = x.message_seq LIMIT 1) m ON true)
      ORDER BY seq ${order} LIMIT ${limit}
    ) u
    WINDOW w AS (ORDER BY u.seq ${order})`;

// The end of a room's log behind `read_after`, cut where it gets too large: so whoever missed less than the first of a batch still gets all
// of his. Null as `read_after` reads nothing; conditions beside the join would be asked after the reading.
const TAIL = `SELECT t.* FROM (
    ${stretch({ room: 'f.room_id', after: 'f.read_after', order: 'DESC', limit: '$5::integer' })}
  ) t WHERE t.bytes <= $6::bigint`;

/**
 * Who each user is in his room, and of each room what any of them missed: once, in the row or rows of the first of them.
 *
 * $1 rooms, $2 users, $3 since epochs, $4 since seqs, $5 events and $6 bytes that one replay may have, $7 bytes of the largest event,
 * $8 bytes that the statement may read of the log at worst. `is_later`: that was used up by the rooms before, ask again.
 * `snapshot`, the same for all, is in the first row.
 */
export const FOLLOW: Statement = {
  name: 'follow_rooms_v3',
  text: `WITH asked AS MATERIALIZED (
      SELECT q.ord, q.room_id, q.since_seq, r.type, r.epoch, r.first_seq, r.last_seq AS head_seq, r.archived_at IS NOT NULL AS archived,
        m.role, m.read_seq, b.user_id IS NOT NULL AS banned,
        r.epoch = q.since_epoch AND q.since_seq >= r.first_seq - 1 AND r.last_seq - q.since_seq BETWEEN 1 AND $5::integer
          AND (m.role IS NOT NULL OR r.type = 'public') AND b.user_id IS NULL AS may_replay
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS q (room_id, user_id, since_epoch, since_seq, ord)
      JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = q.room_id AND x.deleted_at IS NULL LIMIT 1) r ON true
      LEFT JOIN LATERAL (SELECT x.role, x.read_seq FROM memberships x WHERE x.room_id = q.room_id AND x.user_id = q.user_id LIMIT 1) m ON true
      LEFT JOIN LATERAL (
      SELECT x.user_id FROM room_bans x WHERE x.room_id = q.room_id AND x.user_id = q.user_id AND (x.until IS NULL OR x.until > now()) LIMIT 1
    ) b ON true
    ), needed AS MATERIALIZED (
      SELECT n.room_id, n.ord, n.since_seq, sum(least($6::bigint, n.missed * $7::bigint)) OVER (ORDER BY n.ord) <= $8::bigint AS is_read
      FROM (
        SELECT a.room_id, min(a.ord) AS ord, min(a.since_seq) AS since_seq, max(a.head_seq) - min(a.since_seq) AS missed
        FROM asked a WHERE a.may_replay GROUP BY a.room_id
      ) n
    ), followed AS (
      SELECT a.*, a.may_replay AND NOT n.is_read AS is_later, CASE WHEN n.ord = a.ord AND n.is_read THEN n.since_seq END AS read_after
      FROM asked a LEFT JOIN needed n ON n.room_id = a.room_id
    )
    SELECT f.ord, f.room_id, f.type, f.epoch, f.first_seq, f.head_seq, f.archived, f.role, f.read_seq, f.banned, f.may_replay, f.is_later,
      CASE WHEN row_number() OVER (ORDER BY f.ord, e.seq) = 1 THEN pg_current_snapshot()::text END AS snapshot, ${EVENT_COLUMNS}
    FROM followed f
    LEFT JOIN LATERAL (${TAIL}) e ON true
    ORDER BY f.ord, e.seq`,
};

/**
 * The next events behind each seq: $1 rooms, $2 seqs, $3 events and $4 bytes that each may have, but for the first event, which comes
 * whatever its size.
 */
export const READ_AFTER: Statement = {
  name: 'read_rooms_after_v2',
  text: `SELECT q.ord, r.epoch, r.last_seq AS head_seq, ${EVENT_COLUMNS}
    FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS q (room_id, after_seq, ord)
    JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = q.room_id LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT t.* FROM (
      ${stretch({ room: 'q.room_id', after: 'q.after_seq', order: 'ASC', limit: '$3::integer' })}
    ) t WHERE t.place = 1 OR t.bytes <= $4::bigint) e ON true
    ORDER BY q.ord, e.seq`,
};
