import type { Statement } from '../database/sql.js';

// Only rows that are new or have another name are written, in id order, so that two instances never wait for each other in a circle.
// The outer query sees the users as before the write: a new one shows by its defaults.
export const OPEN_USERS: Statement = {
  name: 'open_users',
  text: `WITH given AS (
      SELECT g.id, coalesce(g.name, u.name) AS name, coalesce(u.status, 'online') AS status,
        u.id IS NULL OR (g.name IS NOT NULL AND u.name IS DISTINCT FROM g.name) AS is_news,
        coalesce(u.name <> g.name, false) AS is_renamed
      FROM unnest($1::text[], $2::text[]) AS g(id, name)
      LEFT JOIN LATERAL (SELECT x.id, x.name, x.status FROM users x WHERE x.id = g.id LIMIT 1) u ON true
    ), written AS (
      INSERT INTO users (id, name)
      SELECT id, name FROM given WHERE is_news ORDER BY id COLLATE "C"
      ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, users.name)
    )
    SELECT id, name, status, is_renamed FROM given`,
};

export const FIND_USERS: Statement = {
  name: 'find_users',
  text: `SELECT u.id, a.username, u.name, u.created_at FROM users u LEFT JOIN accounts a ON a.user_id = u.id WHERE u.id = ANY ($1::text[])`,
};

export const SET_STATUS: Statement = {
  name: 'set_status',
  text: `WITH chosen AS (
      INSERT INTO users (id, status) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET status = excluded.status RETURNING id, status
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'status.chosen', 'user', c.id, 'status', c.status)) AS act FROM chosen c`,
};

export const STORE_SEEN: Statement = {
  name: 'store_seen',
  text: `UPDATE users u SET last_seen_at = s.at
    FROM (
      SELECT x.id, g.at FROM unnest($1::text[], $2::timestamptz[]) AS g(id, at) JOIN users x ON x.id = g.id
      WHERE x.last_seen_at IS NULL OR x.last_seen_at < g.at
      ORDER BY x.id FOR NO KEY UPDATE OF x
    ) s
    WHERE u.id = s.id`,
};

export const LAST_SEEN: Statement = {
  name: 'last_seen',
  text: `SELECT id, last_seen_at FROM users WHERE id = ANY ($1::text[])`,
};

export const STATUSES: Statement = {
  name: 'statuses',
  text: `SELECT id, status FROM users WHERE id = ANY ($1::text[])`,
};
