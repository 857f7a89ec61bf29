import type { Statement } from '../database/sql.js';

// By name: a column that a later release adds must not change what a prepared statement answers.
const COLUMNS = 'id, name, hash, scopes, bot_user, created_by, created_at, expires_at, revoked_at, last_used_at';

/** Keys are made by keys, and revoked, one at a time: none is made by one that is just being revoked, and so left out. */
export const HOLD_KEYS: Statement = {
  name: 'hold_api_keys',
  text: `SELECT pg_advisory_xact_lock(hashtext('parley api keys'))`,
};

/**
 * $7 seconds to live or null, $8 creation key or null, $9 the key that makes it or null. It does not live for longer than that. No row: its
 * maker has made a key by the creation key, or the key that makes it is revoked.
 */
export const MAKE_KEY: Statement = {
  name: 'make_api_key_v3',
  text: `INSERT INTO api_keys (id, name, hash, scopes, bot_user, created_by, expires_at, creation_key, parent_id)
    SELECT $1::uuid, $2, $3::bytea, $4::text[], $5, $6, least(p.expires_at, clock_timestamp() + $7 * interval '1 second'), $8, g.parent
    FROM (VALUES ($9::uuid)) AS g(parent) LEFT JOIN api_keys p ON p.id = g.parent
    WHERE g.parent IS NULL OR p.revoked_at IS NULL
    ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
};

export const FIND_MADE_KEY: Statement = {
  name: 'find_made_api_key',
  text: 'SELECT id FROM api_keys WHERE created_by = $1 AND creation_key = $2',
};

export const FIND_KEYS: Statement = {
  name: 'find_api_keys',
  text: `SELECT ${COLUMNS} FROM api_keys WHERE id = ANY ($1::uuid[])`,
};

// Ids are made in order of time: the newest first.
export const LIST_KEYS: Statement = {
  name: 'list_api_keys',
  text: `SELECT ${COLUMNS} FROM api_keys WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`,
};

// The key, those that it made, and so on.
const FAMILY = `RECURSIVE family AS (
      SELECT id FROM api_keys WHERE id = $1 UNION SELECT k.id FROM api_keys k JOIN family f ON k.parent_id = f.id
    )`;

/** How many keys a revocation would end; null when there is no such key. */
export const LIVE_FAMILY: Statement = {
  name: 'live_api_key_family',
  text: `WITH ${FAMILY}
    SELECT count(*) FILTER (WHERE k.revoked_at IS NULL AND coalesce(k.expires_at > clock_timestamp(), true))::integer AS live
    FROM family f JOIN api_keys k ON k.id = f.id HAVING count(*) > 0`,
};

// Those that are revoked already come back too: the answer to the first revocation may have been lost, and with it the act that follows.
export const REVOKE_KEYS: Statement = {
  name: 'revoke_api_keys',
  text: `WITH ${FAMILY}, revoked AS (
      UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id IN (SELECT id FROM family) RETURNING id
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'key.revoked', 'key', r.id)) AS act FROM revoked r`,
};

// Once a minute a key, over all instances; in id order, so that two of them never wait for each other in a circle.
export const STORE_KEYS_USED: Statement = {
  name: 'store_api_keys_used',
  text: `UPDATE api_keys k SET last_used_at = clock_timestamp()
    FROM (
      SELECT id FROM api_keys WHERE id = ANY ($1::uuid[]) AND coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)
      ORDER BY id FOR NO KEY UPDATE
    ) used
    WHERE k.id = used.id`,
};
