import type { Statement } from '../database/sql.js';

/** Times are Unix milliseconds. */
export interface SanctionRow {
  id: string;
  at: number;
  until: number | null;
}

const MS = (column: string) => `extract(epoch FROM ${column})::float8 * 1000`;

export const BANNED_USERS: Statement = {
  name: 'banned_users_v2',
  text: `SELECT id, ${MS('banned_at')} AS at, ${MS('banned_until')} AS until FROM users WHERE banned_at IS NOT NULL`,
};

export const MUTED_USERS: Statement = {
  name: 'muted_users',
  text: `SELECT id, ${MS('muted_at')} AS at, ${MS('muted_until')} AS until FROM users WHERE muted_at IS NOT NULL`,
};

const act = (kind: string, row: string, more = '') =>
  `record_act_v1(jsonb_build_object('kind', '${kind}', 'user', ${row}.id, 'at', extract(epoch FROM ${row}.at) * 1000${more})) AS act`;
const UNTIL = `, 'until', floor(extract(epoch FROM x.until) * 1000)`;

// A user may be banned or muted before the server has seen him. A second time keeps the first one's beginning, unless that was over, and
// replaces the rest; `at` is taken under the row's lock.

/** $1 user, $2 until, $3 reason, $4 by */
export const BAN_USER: Statement = {
  name: 'ban_user_v2',
  text: `WITH x AS (
      INSERT INTO users (id, banned_at, banned_until, ban_reason, banned_by) VALUES ($1, clock_timestamp(), $2, $3, $4)
      ON CONFLICT (id) DO UPDATE SET banned_until = $2, ban_reason = $3, banned_by = $4, banned_at =
        CASE WHEN users.banned_at IS NULL OR users.banned_until <= clock_timestamp() THEN clock_timestamp() ELSE users.banned_at END
      RETURNING id, clock_timestamp() AS at, banned_until AS until
    )
    SELECT ${act('user.banned', 'x', UNTIL)} FROM x`,
};

export const UNBAN_USER: Statement = {
  name: 'unban_user_v2',
  text: `WITH x AS (
      UPDATE users SET banned_at = NULL, banned_until = NULL, ban_reason = NULL, banned_by = NULL WHERE id = $1
      RETURNING id, clock_timestamp() AS at
    )
    SELECT ${act('user.unbanned', 'x')} FROM x`,
};

/** Parameters as for `BAN_USER`. */
export const MUTE_USER: Statement = {
  name: 'mute_user',
  text: `WITH x AS (
      INSERT INTO users (id, muted_at, muted_until, mute_reason, muted_by) VALUES ($1, clock_timestamp(), $2, $3, $4)
      ON CONFLICT (id) DO UPDATE SET muted_until = $2, mute_reason = $3, muted_by = $4, muted_at =
        CASE WHEN users.muted_at IS NULL OR users.muted_until <= clock_timestamp() THEN clock_timestamp() ELSE users.muted_at END
      RETURNING id, clock_timestamp() AS at, muted_until AS until
    )
    SELECT ${act('user.muted', 'x', UNTIL)} FROM x`,
};

export const UNMUTE_USER: Statement = {
  name: 'unmute_user',
  text: `WITH x AS (
      UPDATE users SET muted_at = NULL, muted_until = NULL, mute_reason = NULL, muted_by = NULL WHERE id = $1
      RETURNING id, clock_timestamp() AS at
    )
    SELECT ${act('user.unmuted', 'x')} FROM x`,
};
