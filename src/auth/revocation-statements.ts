import type { RecordedAct } from '../bus/room-bus.js';
import type { Statement } from '../database/sql.js';
import { isAdministrator } from './administrators.js';

/** What a statement answers that changes what counts: the acts that say so. None: nothing was changed. */
export interface ActRow {
  act: RecordedAct;
}

// What voids a user's tokens and what signs one ask the database for the time while they hold his row: so each of them is clearly before or
// after the other, whatever the clocks of instances say. Behind each other by a microsecond at least, which is as far as the clock goes.

/** An expression: when a token of the user's is signed, in Unix seconds. @param notBefore up to when his tokens are void, or null */
export const signedAt = (notBefore: string): string =>
  `extract(epoch FROM greatest(clock_timestamp(), ${notBefore} + interval '1 microsecond'))::float8`;

/** For a token whose claims are not the database's, and whether its user is an administrator. He may be one whom the server has not seen yet. */
export const SIGNING_MOMENT: Statement = {
  name: 'signing_moment_v2',
  text: `SELECT ${signedAt('u.tokens_not_before')} AS signed_at, u.id IS NOT NULL AND ${isAdministrator('u')} AS is_administrator FROM (VALUES ($1)) AS g(id) LEFT JOIN users u ON u.id = g.id`,
};

export const REVOKED_SESSIONS: Statement = {
  name: 'revoked_sessions',
  text: `SELECT id FROM auth_sessions WHERE revoked_at > clock_timestamp() - $1 * interval '1 millisecond'`,
};

export const REVOKED_TOKENS: Statement = {
  name: 'revoked_tokens',
  text: 'SELECT token_id AS id, issuers, expires_at FROM revoked_tokens WHERE expires_at > clock_timestamp()',
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

// One row a `jti`, by which instances of an older release know it, of whichever issuer. Who has revoked it for all has done so.
export const REVOKE_TOKEN: Statement = {
  name: 'revoke_token',
  text: `WITH revoked AS (
      INSERT INTO revoked_tokens AS t (token_id, expires_at, issuers) VALUES ($1, $3, ARRAY[$4::text])
      ON CONFLICT (token_id) DO UPDATE SET expires_at = greatest(t.expires_at, excluded.expires_at),
        issuers = CASE WHEN t.issuers IS NULL OR excluded.issuers <@ t.issuers THEN t.issuers ELSE t.issuers || excluded.issuers END
      RETURNING token_id, expires_at
    ), gone AS (
      DELETE FROM revoked_tokens WHERE token_id IN (SELECT token_id FROM revoked_tokens WHERE expires_at < clock_timestamp() LIMIT 100)
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'token.revoked', 'token', r.token_id, 'issuer', $4::text, 'user', $2::text,
      'expiresAt', floor(extract(epoch FROM r.expires_at) * 1000))) AS act FROM revoked r`,
};

// The row is held first: an UPDATE alone would ask for the time before it waits for a login that is reading it.
const voiding = (change: string, condition: string): string => `WITH held AS MATERIALIZED (
      SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE
    ), voided AS (
      UPDATE users u SET ${change} tokens_not_before = greatest(clock_timestamp(), u.tokens_not_before + interval '1 microsecond')
      FROM held WHERE u.id = held.id AND ${condition} RETURNING u.id, u.tokens_not_before
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'user.revoked', 'user', v.id,
      'notBefore', extract(epoch FROM v.tokens_not_before))) AS act FROM voided v`;

export const REVOKE_USER: Statement = { name: 'revoke_user', text: voiding('', 'true') };

/** Behind REVOKE_USER in its transaction, to see the logins that were under way when that had to wait for the user's row. */
export const END_SESSIONS: Statement = {
  name: 'end_sessions',
  text: 'UPDATE auth_sessions SET revoked_at = clock_timestamp() WHERE user_id = $1 AND revoked_at IS NULL',
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
export const SET_ROLES: Statement = { name: 'set_roles', text: voiding('roles = $2,', 'u.roles <> $2') };

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
