import type { Statement } from '../database/sql.js';
import type { Meta, Role, RoomType } from '../protocol/index.js';

const MESSAGE = 'x.seq, x.last_seq, x.sender_id, x.client_id, x.text, x.meta, x.version, x.created_at, x.edited_at, x.deleted_at';

/**
 * Who the user is in the room, and the messages on both sides of a point: one statement, so one moment. Each side is a walk along the
 * primary key from the point outwards, so its cost does not depend on where in the history that is.
 *
 * $1 room, $2 user, $3 the point (the first seq of the newer side), $4 and $5 how many of the older and of the newer side, $6 bytes.
 * A side ends behind the message that fills $6; a message is at least 150 bytes of JSON beside its text.
 */
export const MESSAGE_PAGE: Statement = {
  name: 'message_page',
  text: `SELECT r.type, r.epoch, r.first_seq, r.last_seq AS head_seq, r.archived_at IS NOT NULL AS archived, m.role,
      b.user_id IS NOT NULL AS banned, p.seq, p.last_seq, p.sender_id, p.client_id, p.text, p.meta, p.version, p.created_at, p.edited_at,
      p.deleted_at
    FROM (SELECT * FROM rooms WHERE id = $1::uuid AND deleted_at IS NULL LIMIT 1) r
    LEFT JOIN memberships m ON m.room_id = $1::uuid AND m.user_id = $2::text
    LEFT JOIN room_bans b ON b.room_id = $1::uuid AND b.user_id = $2::text
    LEFT JOIN (
      SELECT o.*, sum(150 + octet_length(o.text)) OVER (ORDER BY o.seq DESC) - 150 - octet_length(o.text) AS bytes_before
      FROM (
        SELECT ${MESSAGE} FROM messages x WHERE x.room_id = $1::uuid AND x.seq < $3::bigint ORDER BY x.seq DESC LIMIT $4::integer
      ) o
      UNION ALL
      SELECT n.*, sum(150 + octet_length(n.text)) OVER (ORDER BY n.seq) - 150 - octet_length(n.text) AS bytes_before
      FROM (
        SELECT ${MESSAGE} FROM messages x WHERE x.room_id = $1::uuid AND x.seq >= $3::bigint ORDER BY x.seq LIMIT $5::integer
      ) n
    ) p ON p.bytes_before <= $6::bigint
    ORDER BY p.seq`,
};

export interface MessagePageRow {
  type: RoomType;
  epoch: string;
  first_seq: string;
  head_seq: string;
  archived: boolean;
  role: Role | null;
  banned: boolean;
  /** Null, as all that follow, in the one row of a room without a message there. */
  seq: string | null;
  last_seq: string;
  sender_id: string;
  client_id: string;
  text: string;
  meta: Meta;
  version: number;
  created_at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
}
