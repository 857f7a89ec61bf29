import type { Statement } from '../database/sql.js';
import { messageJson } from '../log/message-json.js';
import { LIMITS, type Role, type RoomType } from '../protocol/index.js';

/**
 * Messages from the point outwards. Ends behind the one that fills $6; a message is at least 150 bytes of JSON beside its text. The limit is
 * a constant, and `place` ends the walk earlier: by a parameter PostgreSQL could not tell what the walk costs, and would plan it each time.
 */
const side = (where: string, order: string, count: string) => `SELECT o.*,
    sum(150 + octet_length(o.text)) OVER (ORDER BY o.place) - 150 - octet_length(o.text) AS bytes_before
  FROM (
    SELECT x.*, row_number() OVER (ORDER BY x.seq ${order}) AS place FROM messages x
    WHERE x.room_id = $1::uuid AND x.seq ${where} ORDER BY x.seq ${order} LIMIT ${LIMITS.pageItems + 1}
  ) o WHERE o.place <= ${count}`;

/**
 * Who the user is in the room, and a page of the messages around a point: one statement, so one moment. Each side is a walk along the
 * primary key from the point outwards, so its cost does not depend on where in the history that is. Both sides are taken in turn, the
 * newer one first; one that is not wanted is read for whether there is more.
 *
 * $1 room, $2 user, $3 the point (the first seq of the newer side), $4 and $5 how many of the older and of the newer side are read, one
 * more than may be taken, $6 bytes and $7 messages of the page (at least one, however long), $8 and $9 whether each side is wanted.
 */
export const MESSAGE_PAGE: Statement = {
  name: 'message_page_v3',
  text: `SELECT r.type, r.epoch, r.first_seq, r.last_seq AS head_seq, r.archived_at IS NOT NULL AS archived, m.role,
      b.user_id IS NOT NULL AS banned, p.messages, p.has_before, p.has_after
    FROM (SELECT * FROM rooms WHERE id = $1::uuid AND deleted_at IS NULL LIMIT 1) r
    LEFT JOIN memberships m ON m.room_id = $1::uuid AND m.user_id = $2::text
    LEFT JOIN room_bans b ON b.room_id = $1::uuid AND b.user_id = $2::text AND (b.until IS NULL OR b.until > now())
    CROSS JOIN (
      SELECT coalesce(string_agg(t.json, ',' ORDER BY t.seq) FILTER (WHERE t.is_taken), '') AS messages,
        coalesce(bool_or(t.seq < $3::bigint AND NOT t.is_taken), false) AS has_before,
        coalesce(bool_or(t.seq >= $3::bigint AND NOT t.is_taken), false) AS has_after
      FROM (
        SELECT j.seq, j.json, j.is_wanted AND row_number() OVER w <= $7::integer
          AND (row_number() OVER w = 1 OR sum(octet_length(j.json) + 1) OVER w <= $6::bigint) AS is_taken
        FROM (
          SELECT n.seq, 2 * n.place - 1 AS turn, $9::boolean AS is_wanted, ${messageJson('n')} AS json
          FROM (${side('>= $3::bigint', 'ASC', '$5::integer')}) n WHERE n.bytes_before <= $6::bigint
          UNION ALL
          SELECT n.seq, 2 * n.place AS turn, $8::boolean AS is_wanted, ${messageJson('n')} AS json
          FROM (${side('< $3::bigint', 'DESC', '$4::integer')}) n WHERE n.bytes_before <= $6::bigint
        ) j
        WINDOW w AS (PARTITION BY j.is_wanted ORDER BY j.turn)
      ) t
    ) p`,
};

export interface MessagePageRow {
  type: RoomType;
  epoch: string;
  first_seq: string;
  head_seq: string;
  archived: boolean;
  role: Role | null;
  banned: boolean;
  /** The JSON of the messages, ascending by `seq`, with commas between. */
  messages: string;
  has_before: boolean;
  has_after: boolean;
}
