import type { RecordedAct } from '../bus/room-bus.js';
import type { Statement } from '../database/sql.js';

/** What a statement answers that changes what counts: the acts that say so. None: nothing was changed. */
export interface ActRow {
  act: RecordedAct;
}

export const REVOKED_SESSIONS: Statement = {
  name: 'revoked_sessions',
  text: `SELECT id FROM auth_sessions WHERE revoked_at > clock_timestamp() - $1 * interval '1 millisecond'`,
};

export const REVOKED_TOKENS: Statement = {
  name: 'revoked_tokens',
  text: 'SELECT token_id AS id, expires_at FROM revoked_tokens WHERE expires_at > clock_timestamp()',
};

export const REVOKED_USERS: Statement = {
  name: 'revoked_users',
  text: `SELECT id, extract(epoch FROM tokens_not_before)::float8 AS not_before FROM users WHERE tokens_not_before IS NOT NULL`,
};

export const DISABLED_USERS: Statement = {
  name: 'disabled_users',
  text: 'SELECT id, extract(epoch FROM disabled_at)::float8 * 1000 AS at FROM users WHERE disabled_at IS NOT NULL',
};

export const REVOKED_KEYS: Statement = {
  name: 'revoked_api_keys',
  text: 'SELECT id FROM api_keys WHERE revoked_at IS NOT NULL',
};

// One that is revoked already comes back too: the answer to the first revocation may have been lost, and with it the act that follows.
const SESSION_ACT = `SELECT record_act_v1(jsonb_build_object('kind', 'session.revoked', 'session', r.id, 'user', r.user_id)) AS act FROM revoked r`;

/** Ends the family of a refresh token that was used before; nothing for any other token. */
export const REVOKE_REUSED: Statement = {
  name: 'revoke_reused_session',
  text: `WITH revoked AS (
      UPDATE auth_sessions s SET revoked_at = coalesce(s.revoked_at, clock_timestamp())
      FROM refresh_tokens t WHERE t.hash = $1 AND t.used_at IS NOT NULL AND s.id = t.session_id RETURNING s.id, s.user_id
    ) ${SESSION_ACT}`,
};

/** Ends the family of a refresh token, used or not. */
export const REVOKE_SESSION: Statement = {
  name: 'revoke_session',
  text: `WITH revoked AS (
      UPDATE auth_sessions s SET revoked_at = coalesce(s.revoked_at, clock_timestamp())
      FROM refresh_tokens t WHERE t.hash = $1 AND s.id = t.session_id RETURNING s.id, s.user_id
    ) ${SESSION_ACT}`,
};

export const REVOKE_TOKEN: Statement = {
  name: 'revoke_token',
  text: `WITH revoked AS (
      INSERT INTO revoked_tokens (token_id, expires_at) VALUES ($1, $3)
      ON CONFLICT (token_id) DO UPDATE SET expires_at = greatest(revoked_tokens.expires_at, excluded.expires_at)
      RETURNING token_id, expires_at
    ), gone AS (
      DELETE FROM revoked_tokens WHERE token_id IN (SELECT token_id FROM revoked_tokens WHERE expires_at < clock_timestamp() LIMIT 100)
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'token.revoked', 'token', r.token_id, 'user', $2::text,
      'expiresAt', floor(extract(epoch FROM r.expires_at) * 1000))) AS act FROM revoked r`,
};

// The user may be one whom the server has not seen yet. His logins end with his tokens.
export const REVOKE_USER: Statement = {
  name: 'revoke_user',
  text: `WITH revoked AS (
      INSERT INTO users (id, tokens_not_before) VALUES ($1, date_trunc('second', clock_timestamp()))
      ON CONFLICT (id) DO UPDATE SET tokens_not_before = greatest(users.tokens_not_before, date_trunc('second', clock_timestamp()))
      RETURNING id, tokens_not_before
    ), sessions AS (
      UPDATE auth_sessions SET revoked_at = clock_timestamp() WHERE user_id = $1 AND revoked_at IS NULL
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'user.revoked', 'user', r.id,
      'notBefore', extract(epoch FROM r.tokens_not_before)::bigint)) AS act FROM revoked r`,
};

// As a ban. The latest administrator's reason stands; the time is the first one's.
export const DISABLE_USER: Statement = {
  name: 'disable_user',
  text: `WITH disabled AS (
      UPDATE users SET disabled_at = coalesce(disabled_at, clock_timestamp()), disabled_by = $2, disabled_reason = $3
      WHERE id = $1 RETURNING id, clock_timestamp() AS at
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'user.disabled', 'user', d.id, 'at', extract(epoch FROM d.at) * 1000)) AS act FROM disabled d`,
};

export const ENABLE_USER: Statement = {
  name: 'enable_user',
  text: `WITH enabled AS (
      UPDATE users SET disabled_at = NULL, disabled_by = NULL, disabled_reason = NULL WHERE id = $1 RETURNING id, clock_timestamp() AS at
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'user.enabled', 'user', e.id, 'at', extract(epoch FROM e.at) * 1000)) AS act FROM enabled e`,
};

// Access tokens tell of the roles as they were: they are void, and the logins go on, so that the next refresh signs the new ones.
export const SET_ROLES: Statement = {
  name: 'set_roles',
  text: `WITH changed AS (
      UPDATE users SET roles = $2, tokens_not_before = greatest(tokens_not_before, date_trunc('second', clock_timestamp()))
      WHERE id = $1 AND roles <> $2 RETURNING id, tokens_not_before
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'user.revoked', 'user', c.id,
      'notBefore', extract(epoch FROM c.tokens_not_before)::bigint)) AS act FROM changed c`,
};

export const END_SESSION: Statement = {
  name: 'end_session',
  text: `WITH revoked AS (
      UPDATE auth_sessions s SET revoked_at = coalesce(s.revoked_at, clock_timestamp()) WHERE s.id = $1 AND s.user_id = $2 RETURNING s.id, s.user_id
    ) ${SESSION_ACT}`,
};

export const CLOSE_CONNECTION: Statement = {
  name: 'close_connection',
  text: `SELECT record_act_v1(jsonb_build_object('kind', 'connection.closed', 'connection', $1::text)) AS act`,
};

export const DISCONNECT_USER: Statement = {
  name: 'disconnect_user',
  text: `SELECT record_act_v1(jsonb_build_object('kind', 'user.disconnected', 'user', $1::text)) AS act`,
};
