import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Bans that end by themselves and say why, mutes, what moderators removed, and reports. */
export class Moderation1768000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION append_joins_v4, append_messages_v2`);
    await runner.query(`DROP TABLE reports, message_removals, room_mutes`);
    await runner.query(`DROP INDEX room_bans_user`);
    await runner.query(`ALTER TABLE room_bans DROP COLUMN until`);
    await runner.query(
      `ALTER TABLE users DROP COLUMN banned_until, DROP COLUMN ban_reason, DROP COLUMN banned_by,
        DROP COLUMN muted_at, DROP COLUMN muted_until, DROP COLUMN mute_reason, DROP COLUMN muted_by`,
    );
  }
}

const UP = [
  // A ban or a mute whose time is over counts as none, for whoever reads it; nothing takes it away at that time. Instances of the release
  // before this one know of no end: to them it goes on, which is the safe side.
  `ALTER TABLE users
    ADD COLUMN banned_until timestamptz(3),
    ADD COLUMN ban_reason text,
    ADD COLUMN banned_by text COLLATE "C",
    ADD COLUMN muted_at timestamptz(3),
    ADD COLUMN muted_until timestamptz(3),
    ADD COLUMN mute_reason text,
    ADD COLUMN muted_by text COLLATE "C"`,
  `CREATE INDEX users_muted ON users (id) WHERE muted_at IS NOT NULL`,
  `ALTER TABLE room_bans ADD COLUMN until timestamptz(3)`,
  `CREATE INDEX room_bans_user ON room_bans (user_id, room_id)`,
  // Apart from memberships, so that leaving and joining again does not lift a mute.
  `CREATE TABLE room_mutes (
    room_id uuid NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    by_user text COLLATE "C" NOT NULL,
    reason text,
    until timestamptz(3),
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (room_id, user_id)
  )`,
  `CREATE INDEX room_mutes_user ON room_mutes (user_id, room_id)`,
  // What a moderator took away, so that it can be judged again and brought back. One row for each removal of a message: removed_seq is
  // that of its event.
  `CREATE TABLE message_removals (
    room_id uuid NOT NULL,
    seq bigint NOT NULL,
    removed_seq bigint NOT NULL,
    text text NOT NULL,
    meta jsonb NOT NULL,
    removed_by text COLLATE "C" NOT NULL,
    remove_reason text NOT NULL,
    removed_at timestamptz(3) NOT NULL,
    restored_by text COLLATE "C",
    restore_reason text,
    restored_at timestamptz(3),
    PRIMARY KEY (room_id, seq, removed_seq)
  )`,
  // Ids are made in order of time: the queue is read by them. room_id and seq are null in a report of a user; text is the message's then.
  `CREATE TABLE reports (
    id uuid PRIMARY KEY,
    reporter_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    room_id uuid,
    seq bigint,
    reason text NOT NULL,
    note text,
    text text,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    decision text,
    decided_by text COLLATE "C",
    decision_reason text,
    decision_until timestamptz(3),
    decided_at timestamptz(3),
    CHECK ((room_id IS NULL) = (seq IS NULL))
  )`,
  `CREATE UNIQUE INDEX reports_open_thing ON reports (reporter_id, user_id, room_id, seq) NULLS NOT DISTINCT WHERE decided_at IS NULL`,
  `CREATE INDEX reports_open ON reports (id) WHERE decided_at IS NULL`,
  `CREATE INDEX reports_room ON reports (room_id, id) WHERE room_id IS NOT NULL`,
  `CREATE INDEX reports_user ON reports (user_id, id)`,
  `CREATE INDEX reports_reporter ON reports (reporter_id, created_at)`,

  // As the first version, which instances of the release before this one call; and a draft may be barred (p_barred: its sender may send
  // nothing new at all), or its sender muted in the room. Neither keeps a retry from being a duplicate. until is when the room's mute ends.
  `CREATE FUNCTION append_messages_v2(
    p_rooms uuid[], p_senders text[], p_client_ids text[], p_texts text[], p_metas jsonb[], p_barred boolean[], p_roles text[]
  ) RETURNS TABLE (ord integer, status text, seq bigint, at timestamptz, epoch text, until timestamptz)
  LANGUAGE plpgsql AS $$
  DECLARE v_now timestamptz(3);
  BEGIN
    PERFORM 1 FROM rooms r WHERE r.id = ANY (p_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    RETURN QUERY
    WITH draft AS (
      SELECT d.ord::integer AS ord, d.room_id, d.sender_id, d.client_id, d.body, d.meta, d.barred,
        row_number() OVER (PARTITION BY d.room_id, d.sender_id, d.client_id ORDER BY d.ord) AS occurrence
      FROM unnest(p_rooms, p_senders, p_client_ids, p_texts, p_metas, p_barred) WITH ORDINALITY
        AS d(room_id, sender_id, client_id, body, meta, barred, ord)
    ), judged AS (
      SELECT d.*, r.epoch, r.last_seq AS head, greatest(r.last_at, v_now) AS new_at, old.seq AS old_seq, old.created_at AS old_at,
        mute.until AS muted_until,
        CASE
          WHEN old.seq IS NOT NULL THEN 'duplicate'
          WHEN r.id IS NULL OR r.deleted_at IS NOT NULL THEN 'not_found'
          WHEN m.role IS NULL THEN CASE r.type WHEN 'public' THEN 'forbidden' ELSE 'not_found' END
          WHEN m.role <> ALL (p_roles) THEN 'forbidden'
          WHEN d.barred THEN 'barred'
          WHEN mute.user_id IS NOT NULL THEN 'muted'
          WHEN r.archived_at IS NOT NULL THEN 'archived'
          ELSE 'created'
        END AS verdict
      FROM draft d
      LEFT JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = d.room_id LIMIT 1) r ON true
      LEFT JOIN LATERAL (
        SELECT x.seq, x.created_at FROM messages x
        WHERE x.room_id = d.room_id AND x.sender_id = d.sender_id AND x.client_id = d.client_id LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT x.role FROM memberships x WHERE x.room_id = d.room_id AND x.user_id = d.sender_id LIMIT 1
      ) m ON true
      LEFT JOIN LATERAL (
        SELECT x.user_id, x.until FROM room_mutes x
        WHERE x.room_id = d.room_id AND x.user_id = d.sender_id AND (x.until IS NULL OR x.until > v_now) LIMIT 1
      ) mute ON true
    ), numbered AS (
      SELECT j.*, j.head + row_number() OVER (PARTITION BY j.room_id ORDER BY j.ord) AS new_seq
      FROM judged j WHERE j.verdict = 'created' AND j.occurrence = 1
    ), inserted AS (
      INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
      SELECT n.room_id, n.new_seq, n.new_seq, n.sender_id, n.client_id, n.body, n.meta, n.new_at FROM numbered n ORDER BY n.room_id, n.new_seq
    ), heads AS (
      SELECT n.room_id, max(n.new_seq) AS head, max(n.new_at) AS at FROM numbered n GROUP BY n.room_id
    ), raised AS (
      UPDATE rooms r SET last_seq = h.head, last_at = h.at FROM heads h WHERE r.id = h.room_id
    ), announced AS (
      INSERT INTO changes (kind, payload)
      SELECT 'heads', jsonb_object_agg(h.room_id, h.head) FROM heads h HAVING count(*) > 0
    )
    SELECT j.ord,
      CASE WHEN j.verdict = 'created' AND j.occurrence > 1 THEN 'duplicate' ELSE j.verdict END,
      coalesce(j.old_seq, n.new_seq), coalesce(j.old_at, n.new_at), j.epoch, j.muted_until
    FROM judged j
    LEFT JOIN numbered n ON n.room_id = j.room_id AND n.sender_id = j.sender_id AND n.client_id = j.client_id
    ORDER BY j.ord;
  END $$`,

  // As the third version, to which a ban whose time is over is one: so it goes when its user comes. By ctid, since as a join the cached
  // plan may go through the table; nobody else changes bans of a room while its lock is held.
  `CREATE FUNCTION append_joins_v4(p_rooms uuid[], p_users text[], p_large integer, p_max integer, p_user_max integer)
  RETURNS TABLE (ord integer, status text, role text, seq bigint, at timestamptz, epoch text, act jsonb)
  LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM 1 FROM rooms r WHERE r.id = ANY (p_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    DELETE FROM room_bans b WHERE b.ctid = ANY (ARRAY(
      SELECT over.ctid FROM unnest(p_rooms, p_users) AS d(room_id, user_id)
      JOIN LATERAL (
        SELECT x.ctid FROM room_bans x
        WHERE x.room_id = d.room_id AND x.user_id = d.user_id AND x.until <= clock_timestamp() LIMIT 1
      ) over ON true
    ));
    RETURN QUERY SELECT j.* FROM append_joins_v3(p_rooms, p_users, p_large, p_max, p_user_max) j;
  END $$`,
];
