import type { Statement } from '../database/sql.js';
import { signedAt } from './revocation-statements.js';
import { isBanned } from './sanction-statements.js';

export const FIND_ACCOUNT: Statement = {
  name: 'find_account',
  text: 'SELECT user_id, password_hash FROM accounts WHERE lower(username) = lower($1)',
};

// What a token is to say is read, and the time asked for, while the user's row is held: whoever takes his roles or voids his tokens does it
// before this, and is in it, or waits, and voids what comes of it.
const OWNER = `u.id, u.name, u.created_at, u.roles, u.tokens_not_before`;
const SIGNED = `o.id, o.name, o.created_at, o.roles, a.username, ${signedAt('o.tokens_not_before')} AS signed_at`;

/** $1 session, $2 user, $3 hash of its first refresh token, $4 the life of that in seconds. None is opened for who is banned or disabled. */
export const OPEN_SESSION: Statement = {
  name: 'open_session',
  text: `WITH owner AS MATERIALIZED (
      SELECT ${OWNER}, ${isBanned('u')} AS banned, u.disabled_at IS NOT NULL AS disabled FROM users u WHERE u.id = $2 FOR SHARE
    ), session AS (
      INSERT INTO auth_sessions (id, user_id) SELECT $1, id FROM owner WHERE NOT banned AND NOT disabled RETURNING id
    ), token AS (
      INSERT INTO refresh_tokens (hash, session_id, expires_at) SELECT $3, id, clock_timestamp() + $4 * interval '1 second' FROM session
    )
    SELECT ${SIGNED}, o.banned, o.disabled FROM owner o LEFT JOIN accounts a ON a.user_id = o.id`,
};

// A session can be refreshed for as long as its newest token lives.
const IS_LIVE = `s.revoked_at IS NULL
  AND EXISTS (SELECT FROM refresh_tokens x WHERE x.session_id = s.id AND x.expires_at > clock_timestamp())`;

/**
 * $1 user, $2 the id behind which it begins or null, $3 whether those alone that have neither ended nor expired, $4 limit.
 * Ids are made in order of time: the newest first.
 */
export const LIST_SESSIONS: Statement = {
  name: 'list_sessions',
  text: `SELECT s.id, s.created_at, coalesce(t.used_at, s.created_at) AS last_used_at, t.expires_at, s.revoked_at
    FROM auth_sessions s
    JOIN LATERAL (SELECT max(x.used_at) AS used_at, max(x.expires_at) AS expires_at FROM refresh_tokens x WHERE x.session_id = s.id) t ON true
    WHERE s.user_id = $1 AND s.id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND t.expires_at IS NOT NULL
      AND (NOT $3 OR ${IS_LIVE})
    ORDER BY s.id DESC LIMIT $4`,
};

/** $1 the login, $2 its user: whether it has neither ended nor expired. No row: he has no such login. */
export const SESSION_STATE: Statement = {
  name: 'session_state',
  text: `SELECT ${IS_LIVE} AS is_live FROM auth_sessions s WHERE s.id = $1 AND s.user_id = $2`,
};

/** An expression: how many logins a user has that have neither ended nor expired. @param user the expression of his id */
export const liveSessionCount = (user: string): string =>
  `(SELECT count(*)::integer FROM auth_sessions s WHERE s.user_id = ${user} AND ${IS_LIVE})`;

// Of two that use the same token at once, the second waits for the first one's row lock, sees it used, and gets no row. The login's row is
// held too: it may be ended with all of its user's.
export const ROTATE: Statement = {
  name: 'rotate_refresh_token',
  text: `WITH owner AS MATERIALIZED (
      SELECT ${OWNER}, s.id AS session_id
      FROM users u JOIN auth_sessions s ON s.user_id = u.id JOIN refresh_tokens t ON t.session_id = s.id
      WHERE t.hash = $1 AND s.revoked_at IS NULL AND u.disabled_at IS NULL AND NOT (${isBanned('u')})
      FOR SHARE OF u, s
    ), used AS (
      UPDATE refresh_tokens t SET used_at = clock_timestamp()
      FROM owner WHERE t.hash = $1 AND t.session_id = owner.session_id AND t.used_at IS NULL AND t.expires_at > clock_timestamp()
      RETURNING t.session_id
    ), next AS (
      INSERT INTO refresh_tokens (hash, session_id, expires_at) SELECT $2, session_id, clock_timestamp() + $3 * interval '1 second' FROM used
    )
    SELECT used.session_id, ${SIGNED}
    FROM used JOIN owner o ON o.session_id = used.session_id LEFT JOIN accounts a ON a.user_id = o.id`,
};

export const WHO_IS_KEPT_OUT: Statement = {
  name: 'refresh_token_of_whom',
  text: `SELECT k.banned FROM refresh_tokens t JOIN auth_sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id
    CROSS JOIN LATERAL (SELECT ${isBanned('u')} AS banned) k
    WHERE t.hash = $1 AND t.used_at IS NULL AND s.revoked_at IS NULL AND (k.banned OR u.disabled_at IS NOT NULL)`,
};

// Kept a day past their end, longer than any access token lives: until then a revoked session must be known after a restart.
export const CLEAR_EXPIRED: Statement = {
  name: 'clear_expired_refresh_tokens',
  text: `WITH gone AS (
      DELETE FROM refresh_tokens WHERE hash IN (
        SELECT hash FROM refresh_tokens WHERE expires_at < clock_timestamp() - interval '1 day'
        ORDER BY expires_at LIMIT 500 FOR UPDATE SKIP LOCKED
      ) RETURNING session_id
    )
    DELETE FROM auth_sessions s WHERE s.id IN (SELECT session_id FROM gone) AND NOT EXISTS (
      SELECT 1 FROM refresh_tokens t WHERE t.session_id = s.id AND t.expires_at >= clock_timestamp() - interval '1 day'
    )`,
};
