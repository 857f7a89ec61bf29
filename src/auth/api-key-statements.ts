import type { Statement } from '../database/sql.js';

// By name: a column that a later release adds must not change what a prepared statement answers.
const COLUMNS = 'id, name, hash, scopes, bot_user, created_by, created_at, expires_at, revoked_at, last_used_at';

/** $8 creation key. No row: its maker has made a key by it. */
export const MAKE_KEY: Statement = {
  name: 'make_api_key_v2',
  text: `INSERT INTO api_keys (id, name, hash, scopes, bot_user, created_by, expires_at, creation_key)
    VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7 * interval '1 second', $8) ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
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

// One that is revoked already comes back too: the answer to the first revocation may have been lost, and with it the act that follows.
export const REVOKE_KEY: Statement = {
  name: 'revoke_api_key',
  text: `WITH revoked AS (
      UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = $1 RETURNING id
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
