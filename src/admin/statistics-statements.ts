import type { Statement } from '../database/sql.js';

/**
 * How statistics follow the logs, without a word in any write to them. `changes` names the rooms that grew since the last count; each
 * room's messages behind `statistics_rooms.counted_seq` are read by their key, added to their hours, and the mark is moved, all in one
 * transaction: so each message is counted once, however often it is tried. Where `changes` no longer reaches back, all rooms are asked.
 */

/** Held to the end of the transaction by the one instance that counts. */
export const CLAIM_COUNTING: Statement = {
  name: 'claim_counting',
  text: `SELECT pg_try_advisory_xact_lock(hashtext('parley statistics')) AS mine`,
};

// Numbers from the future are those of another PostgreSQL, which this database was dumped from.
export const READ_PROGRESS: Statement = {
  name: 'statistics_progress',
  text: `SELECT p.next_xid::text AS "from", pg_snapshot_xmin(pg_current_snapshot())::text AS next, p.counted_at AS "countedAt",
      h.xid > p.next_xid OR p.next_xid > pg_snapshot_xmax(pg_current_snapshot()) AS "isMissed",
      extract(epoch FROM clock_timestamp() - p.counted_at)::float8 AS "seconds"
    FROM statistics_progress p, changes_horizon h`,
};

export interface Progress {
  /** The transaction from which on `changes` may name rooms that are not counted. */
  from: string;
  /** What `from` is after this count. */
  next: string;
  countedAt: Date;
  isMissed: boolean;
  /** Since the last count. */
  seconds: number;
}

export const GROWN_ROOMS: Statement = {
  name: 'statistics_grown_rooms',
  text: `SELECT g.id FROM (
      SELECT DISTINCT k.room::uuid AS id FROM changes c CROSS JOIN LATERAL jsonb_object_keys(c.payload) AS k (room)
      WHERE c.xid >= $1::text::xid8 AND c.kind = 'heads'
    ) g
    JOIN LATERAL (SELECT x.last_seq FROM rooms x WHERE x.id = g.id LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT x.counted_seq FROM statistics_rooms x WHERE x.room_id = g.id LIMIT 1) s ON true
    WHERE r.last_seq > coalesce(s.counted_seq, 0) LIMIT $2`,
};

export const UNCOUNTED_ROOMS: Statement = {
  name: 'statistics_uncounted_rooms',
  text: `SELECT r.id FROM rooms r LEFT JOIN statistics_rooms s ON s.room_id = r.id
    WHERE r.last_seq > coalesce(s.counted_seq, 0) LIMIT $1`,
};

/** Counts the rooms' messages, of each at most so many seqs. `isWhole`: no room has more. */
export const COUNT_MESSAGES: Statement = {
  name: 'statistics_count_messages',
  text: `WITH due AS (
      SELECT r.id, coalesce(s.counted_seq, 0) AS from_seq, least(r.last_seq, coalesce(s.counted_seq, 0) + $2) AS to_seq, r.last_seq
      FROM unnest($1::uuid[]) AS g (id)
      JOIN LATERAL (SELECT x.id, x.last_seq FROM rooms x WHERE x.id = g.id LIMIT 1) r ON true
      LEFT JOIN LATERAL (SELECT x.counted_seq FROM statistics_rooms x WHERE x.room_id = g.id LIMIT 1) s ON true
    ), sent AS (
      SELECT date_trunc('hour', m.created_at, 'UTC') AS hour, m.sender_id, count(*) AS messages
      FROM due d JOIN LATERAL (
        SELECT x.created_at, x.sender_id FROM messages x WHERE x.room_id = d.id AND x.seq > d.from_seq AND x.seq <= d.to_seq OFFSET 0
      ) m ON true
      GROUP BY 1, 2
    ), active AS (
      INSERT INTO statistics_active_users (period, at, user_id)
      SELECT 'hour', hour, sender_id FROM sent UNION SELECT 'day', date_trunc('day', hour, 'UTC'), sender_id FROM sent
      ON CONFLICT DO NOTHING RETURNING period, at
    ), hours AS (
      INSERT INTO statistics_hourly (hour, messages, active_users)
      SELECT s.hour, sum(s.messages), (SELECT count(*) FROM active a WHERE a.period = 'hour' AND a.at = s.hour) FROM sent s GROUP BY s.hour
      ON CONFLICT (hour) DO UPDATE SET messages = statistics_hourly.messages + excluded.messages,
        active_users = statistics_hourly.active_users + excluded.active_users
    ), days AS (
      INSERT INTO statistics_daily (day, active_users) SELECT at, count(*) FROM active WHERE period = 'day' GROUP BY at
      ON CONFLICT (day) DO UPDATE SET active_users = statistics_daily.active_users + excluded.active_users
    ), marks AS (
      INSERT INTO statistics_rooms (room_id, counted_seq) SELECT id, to_seq FROM due
      ON CONFLICT (room_id) DO UPDATE SET counted_seq = excluded.counted_seq
    )
    SELECT coalesce((SELECT sum(messages) FROM sent), 0)::float8 AS messages, NOT EXISTS (SELECT FROM due WHERE to_seq < last_seq) AS "isWhole"`,
};

export interface Counted {
  messages: number;
  isWhole: boolean;
}

// Counted anew from the start of the hour of the last count: what was committed late is in it.
export const COUNT_ARRIVALS: Statement = {
  name: 'statistics_count_arrivals',
  text: `WITH made AS (
      SELECT date_trunc('hour', created_at, 'UTC') AS hour, 1 AS users, 0 AS rooms FROM users WHERE created_at >= $1
      UNION ALL SELECT date_trunc('hour', created_at, 'UTC'), 0, 1 FROM rooms WHERE created_at >= $1
    )
    INSERT INTO statistics_hourly (hour, new_users, new_rooms) SELECT hour, sum(users), sum(rooms) FROM made GROUP BY hour
    ON CONFLICT (hour) DO UPDATE SET new_users = excluded.new_users, new_rooms = excluded.new_rooms`,
};

export const NOTE_CONNECTIONS: Statement = {
  name: 'statistics_note_connections',
  text: `INSERT INTO statistics_hourly (hour, peak_connections)
    SELECT date_trunc('hour', clock_timestamp(), 'UTC'), coalesce(sum(connections), 0) FROM instances
    WHERE seen_at > clock_timestamp() - interval '15 seconds'
    ON CONFLICT (hour) DO UPDATE SET peak_connections = greatest(statistics_hourly.peak_connections, excluded.peak_connections)`,
};

export const SAVE_PROGRESS: Statement = {
  name: 'statistics_save_progress',
  text: `WITH gone AS (DELETE FROM statistics_active_users WHERE period IN ('hour', 'day') AND at < clock_timestamp() - interval '3 days')
    UPDATE statistics_progress SET next_xid = $1::text::xid8, counted_at = clock_timestamp(), messages_per_minute = $2`,
};

// Every period from the first that was counted to the one that is not over: where there is no row, nothing was sent, and nobody there. Only
// as many are made as a page shows. A day is 24 hours of UTC, whatever the session's time zone.
const periods = (unit: 'hour' | 'day', hours: number) => `SELECT generate_series(
        b.newest, greatest(b.oldest, b.newest - ($4::integer - 1) * interval '${hours} hours'), interval '-${hours} hours'
      ) AS at
      FROM (
        SELECT date_trunc('${unit}', least(least($1::timestamptz, $3::timestamptz) - interval '1 microsecond', clock_timestamp()), 'UTC') AS newest,
          greatest(
            date_trunc('${unit}', f.hour, 'UTC'),
            date_trunc('${unit}', $2::timestamptz - interval '1 microsecond', 'UTC') + interval '${hours} hours'
          ) AS oldest
        FROM (SELECT x.hour FROM statistics_hourly x ORDER BY x.hour LIMIT 1) f
      ) b`;

/** $1 and $3: only periods that begin before, $2: or then or later, $4 how many. The newest first. */
export const HOURLY_HISTORY: Statement = {
  name: 'statistics_hourly_history_v2',
  text: `SELECT p.at, coalesce(h.messages, 0)::float8 AS messages, coalesce(h.active_users, 0) AS active_users, coalesce(h.new_users, 0) AS new_users,
      coalesce(h.new_rooms, 0) AS new_rooms, coalesce(h.peak_connections, 0) AS peak_connections
    FROM (${periods('hour', 1)}) p LEFT JOIN statistics_hourly h ON h.hour = p.at
    ORDER BY p.at DESC`,
};

/** As `HOURLY_HISTORY`. */
export const DAILY_HISTORY: Statement = {
  name: 'statistics_daily_history_v2',
  text: `SELECT p.at, h.*, coalesce(d.active_users, 0) AS active_users
    FROM (${periods('day', 24)}) p
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(x.messages), 0)::float8 AS messages, coalesce(sum(x.new_users), 0)::integer AS new_users,
        coalesce(sum(x.new_rooms), 0)::integer AS new_rooms, coalesce(max(x.peak_connections), 0) AS peak_connections
      FROM statistics_hourly x WHERE x.hour >= p.at AND x.hour < p.at + interval '24 hours'
    ) h
    LEFT JOIN statistics_daily d ON d.day = p.at
    ORDER BY p.at DESC`,
};

export interface HistoryRow {
  at: Date;
  messages: number;
  active_users: number;
  new_users: number;
  new_rooms: number;
  peak_connections: number;
}

// Rows are counted up to a bound that costs some milliseconds; beyond it PostgreSQL's own estimate is good enough.
const counted = (table: string, where = '') =>
  `(SELECT count(*) FROM (SELECT FROM ${table} ${where} LIMIT $1::integer + 1) x)::float8 AS ${table},
   (SELECT greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = '${table}'::regclass) AS ${table}_estimate`;

/** A count over `$1` is one that was not finished. */
export const COUNT_TABLES: Statement = {
  name: 'statistics_count_tables',
  text: `SELECT ${counted('users')}, ${counted('rooms', 'WHERE deleted_at IS NULL')}, ${counted('messages')},
      (SELECT messages_per_minute FROM statistics_progress) AS per_minute, (SELECT counted_at FROM statistics_progress) AS counted_at`,
};

export type TableCounts = Record<'users' | 'rooms' | 'messages' | 'users_estimate' | 'rooms_estimate' | 'messages_estimate', number> & {
  per_minute: number;
  counted_at: Date;
};
