import type { Statement } from '../database/sql.js';
import { isBanned } from './sanction-statements.js';

// By name: a column that a later release adds must not change what a prepared statement answers.
const COLUMNS = 'id, name, hash, scopes, bot_user, created_by, created_at, expires_at, revoked_at, last_used_at';

/** Keys are made by keys, and revoked, one at a time: none is made by one that is just being revoked, and so left out. */
export const HOLD_KEYS: Statement = {
  name: 'hold_api_keys',
  text: `SELECT pg_advisory_xact_lock(hashtext('parley api keys'))`,
};

/**
 * $7 seconds to live or null, $8 creation key or null, $9 the key that makes it or null, $10 the users who make it, its maker first, and $11
 * when the token of each was made. It does not live for longer than the key that makes it. No row: its maker has made a key by the creation
 * key, or that key, a maker or his token does not count any more.
 */
export const MAKE_KEY: Statement = {
  name: 'make_api_key_v4',
  text: `INSERT INTO api_keys (id, name, hash, scopes, bot_user, created_by, expires_at, creation_key, parent_id, minters)
    SELECT $1::uuid, $2, $3::bytea, $4::text[], $5, $6, least(p.expires_at, clock_timestamp() + $7 * interval '1 second'), $8, g.parent, ($10::text[])[2:]
    FROM (VALUES ($9::uuid)) AS g(parent) LEFT JOIN api_keys p ON p.id = g.parent
    WHERE (g.parent IS NULL OR p.revoked_at IS NULL) AND NOT EXISTS (
      SELECT FROM unnest($10::text[], $11::float8[]) AS m(id, issued_at) JOIN users u ON u.id = m.id
      WHERE u.disabled_at IS NOT NULL OR ${isBanned('u')} OR extract(epoch FROM u.tokens_not_before)::float8 >= m.issued_at
    )
    ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
};

export const FIND_MADE_KEY: Statement = {
  name: 'find_made_api_key',
  text: 'SELECT id FROM api_keys WHERE created_by = $1 AND creation_key = $2',
};

/** With the bots of the keys that each was made by: its parent's, its parent's parent's, and so on. They never change. */
export const FIND_KEYS: Statement = {
  name: 'find_api_keys_v2',
  text: `SELECT ${COLUMNS}, ARRAY(
      WITH RECURSIVE line AS (
        SELECT p.bot_user, p.parent_id FROM api_keys p WHERE p.id = k.parent_id
        UNION ALL SELECT p.bot_user, p.parent_id FROM api_keys p JOIN line l ON p.id = l.parent_id
      ) SELECT bot_user FROM line
    ) AS maker_bots FROM api_keys k WHERE id = ANY ($1::uuid[])`,
};

/** A condition: the user made the key himself, or had the token signed that it was made by. */
const isMadeBy = (user: string): string => `(created_by = ${user} OR minters @> ARRAY[${user}])`;

/** $1 the maker or null, $2 the id behind which it begins or null, $3 limit. The newest first, since ids are made in order of time. */
export const LIST_KEYS: Statement = {
  name: 'list_api_keys_v2',
  text: `SELECT ${COLUMNS} FROM api_keys WHERE ($1::text IS NULL OR ${isMadeBy('$1')}) AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
};

// The keys, those that they made, and so on.
const familyOf = (first: string): string => `RECURSIVE family AS (
      SELECT id FROM api_keys WHERE ${first} UNION SELECT k.id FROM api_keys k JOIN family f ON k.parent_id = f.id
    )`;

const liveIn = (first: string): string => `WITH ${familyOf(first)}
    SELECT count(*) FILTER (WHERE k.revoked_at IS NULL AND coalesce(k.expires_at > clock_timestamp(), true))::integer AS live
    FROM family f JOIN api_keys k ON k.id = f.id`;

/** An expression: how many live keys the user made, and they. */
export const liveKeyCount = (user: string): string => `(${liveIn(isMadeBy(user))})`;

/** How many keys a revocation would end; no row when there is no such key. */
export const LIVE_FAMILY: Statement = { name: 'live_api_key_family', text: `${liveIn('id = $1')} HAVING count(*) > 0` };

/** As LIVE_FAMILY, of all that a user made. */
export const LIVE_KEYS_OF: Statement = { name: 'live_api_keys_of', text: liveIn(isMadeBy('$1')) };

// Those that are revoked already come back too: the answer to the first revocation may have been lost, and with it the act that follows.
const revoking = (first: string): string => `WITH ${familyOf(first)}, revoked AS (
      UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id IN (SELECT id FROM family) RETURNING id
    )
    SELECT record_act_v1(jsonb_build_object('kind', 'key.revoked', 'key', r.id)) AS act FROM revoked r`;

export const REVOKE_KEYS: Statement = { name: 'revoke_api_keys', text: revoking('id = $1') };

export const REVOKE_KEYS_OF: Statement = { name: 'revoke_api_keys_of', text: revoking(isMadeBy('$1')) };

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
