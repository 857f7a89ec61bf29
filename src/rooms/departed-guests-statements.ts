import type { Statement } from '../database/sql.js';

// Ids of guests lie together in the key of users, in the order in which this server made them. Others' that only look like them are theirs to keep.
const GUEST_ID = '^guest:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';

/** $1 the id behind which it begins, $2 seconds after which a guest cannot come back, $3 limit. By id. */
export const GONE_GUESTS: Statement = {
  name: 'gone_guests',
  text: `SELECT u.id FROM users u
    WHERE u.id > $1 AND u.id >= 'guest:' AND u.id < 'guest;' AND u.id ~ '${GUEST_ID}'
      AND u.created_at < clock_timestamp() - $2 * interval '1 second'
    ORDER BY u.id LIMIT $3`,
};

/** $1 guests, $2 limit of rooms. The members of a direct room are fixed. */
export const ROOMS_OF_GUESTS: Statement = {
  name: 'rooms_of_guests',
  text: `SELECT m.room_id AS room, array_agg(m.user_id ORDER BY m.user_id) AS guests
    FROM memberships m JOIN rooms r ON r.id = m.room_id
    WHERE m.user_id = ANY ($1::text[]) AND r.type <> 'direct' AND r.deleted_at IS NULL GROUP BY m.room_id LIMIT $2`,
};

/** Those among $1 whom nothing names that people read by name, and about whom no administrator has decided anything. */
export const REMOVE_GUESTS: Statement = {
  name: 'remove_guests',
  text: `DELETE FROM users u WHERE u.id = ANY ($1::text[])
    AND u.banned_at IS NULL AND u.muted_at IS NULL AND u.disabled_at IS NULL AND u.tokens_not_before IS NULL
    AND NOT EXISTS (SELECT FROM memberships m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = u.id AND r.deleted_at IS NULL)
    AND NOT EXISTS (SELECT FROM messages m WHERE m.sender_id = u.id AND m.sender_id >= 'guest:' AND m.sender_id < 'guest;')
    AND NOT EXISTS (SELECT FROM reports r WHERE r.user_id = u.id)
    AND NOT EXISTS (SELECT FROM reports r WHERE r.reporter_id = u.id)`,
};
