import type { Statement } from '../database/sql.js';
import { isAdministrator } from './administrators.js';

// Only rows that are new, have another name, or are an administrator's whom no token of this day has shown to be one are written, in id
// order, so that two instances never wait for each other in a circle. The outer query sees the users as before the write: a new one shows by
// its defaults.
export const OPEN_USERS: Statement = {
  name: 'open_users_v2',
  text: `WITH given AS (
      SELECT g.id, g.name AS given_name, coalesce(g.name, u.name) AS name, coalesce(u.status, 'online') AS status,
        u.id IS NULL OR (g.name IS NOT NULL AND u.name IS DISTINCT FROM g.name) AS is_news,
        coalesce(u.name <> g.name, false) AS is_renamed,
        g.brings_office OR coalesce(u.is_administrator, false) AS is_administrator,
        CASE WHEN g.brings_office AND coalesce(u.administrator_seen_at < clock_timestamp() - interval '1 day', true)
          THEN clock_timestamp() END AS seen_at
      FROM unnest($1::text[], $2::text[], $3::boolean[]) AS g(id, name, brings_office)
      LEFT JOIN LATERAL (
        SELECT x.id, x.name, x.status, x.administrator_seen_at, ${isAdministrator('x')} AS is_administrator FROM users x WHERE x.id = g.id LIMIT 1
      ) u ON true
    ), written AS (
      INSERT INTO users (id, name, administrator_seen_at)
      SELECT id, given_name, seen_at FROM given WHERE is_news OR seen_at IS NOT NULL ORDER BY id COLLATE "C"
      ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, users.name),
        administrator_seen_at = coalesce(excluded.administrator_seen_at, users.administrator_seen_at)
    )
    SELECT id, name, status, is_renamed, is_administrator FROM given`,
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
