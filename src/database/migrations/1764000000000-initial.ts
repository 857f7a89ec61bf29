import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The schema of the first release. Hot tables lead with `room_id`, so that they can be distributed by it. */
export class Initial1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION append_messages_v1, append_joins_v1, room_events_after_v1`);
    await runner.query(
      `DROP TABLE changes, room_bans, room_events, messages, memberships, rooms, tickets, refresh_tokens, auth_sessions, accounts, users`,
    );
  }
}

const UP = [
  // User ids are the identity provider's: nothing refers to this table by a foreign key, since a member may not have been seen yet.
  `CREATE TABLE users (
    id text COLLATE "C" PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 255),
    name text,
    status text NOT NULL DEFAULT 'online' CHECK (status IN ('online', 'away', 'busy', 'invisible')),
    last_seen_at timestamptz(3),
    banned_at timestamptz(3),
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
  )`,
  `CREATE INDEX users_banned ON users (id) WHERE banned_at IS NOT NULL`,
  `CREATE TABLE accounts (
    user_id text COLLATE "C" PRIMARY KEY REFERENCES users,
    username text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
  )`,
  `CREATE UNIQUE INDEX accounts_username ON accounts (lower(username))`,
  // One login: the family of refresh tokens that grew from it. Access tokens carry its id as "sid".
  `CREATE TABLE auth_sessions (
    id uuid PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL REFERENCES users,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz(3)
  )`,
  `CREATE INDEX auth_sessions_user ON auth_sessions (user_id)`,
  `CREATE INDEX auth_sessions_revoked ON auth_sessions (revoked_at) WHERE revoked_at IS NOT NULL`,
  `CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES auth_sessions ON DELETE CASCADE,
    expires_at timestamptz(3) NOT NULL,
    used_at timestamptz(3)
  )`,
  `CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id)`,
  `CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at)`,
  `CREATE TABLE tickets (
    hash bytea PRIMARY KEY,
    claims jsonb NOT NULL,
    expires_at timestamptz(3) NOT NULL
  )`,
  `CREATE INDEX tickets_expiry ON tickets (expires_at)`,

  `CREATE TABLE rooms (
    id uuid PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('public', 'private', 'direct')),
    name text,
    topic text,
    meta jsonb NOT NULL DEFAULT '{}',
    epoch text NOT NULL,
    first_seq bigint NOT NULL DEFAULT 1,
    last_seq bigint NOT NULL DEFAULT 0,
    last_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    member_count integer NOT NULL DEFAULT 0,
    created_by text COLLATE "C" NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    archived_at timestamptz(3),
    deleted_at timestamptz(3),
    direct_key bytea UNIQUE,
    creation_key text
  ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX rooms_creation_key ON rooms (created_by, creation_key) WHERE creation_key IS NOT NULL`,
  `CREATE INDEX rooms_public ON rooms (created_at, id) WHERE type = 'public' AND deleted_at IS NULL`,
  `CREATE TABLE memberships (
    room_id uuid NOT NULL REFERENCES rooms,
    user_id text COLLATE "C" NOT NULL CHECK (length(user_id) BETWEEN 1 AND 255),
    role text NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
    read_seq bigint NOT NULL DEFAULT 0,
    joined_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (room_id, user_id)
  ) WITH (fillfactor = 80)`,
  `CREATE INDEX memberships_user ON memberships (user_id, room_id)`,
  `CREATE TABLE room_bans (
    room_id uuid NOT NULL REFERENCES rooms,
    user_id text COLLATE "C" NOT NULL,
    by_user text COLLATE "C" NOT NULL,
    reason text,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (room_id, user_id)
  )`,
  `CREATE TABLE messages (
    room_id uuid NOT NULL,
    seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    sender_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    text text NOT NULL,
    meta jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz(3) NOT NULL,
    edited_at timestamptz(3),
    deleted_at timestamptz(3),
    PRIMARY KEY (room_id, seq),
    UNIQUE (room_id, sender_id, client_id)
  )`,
  // Every durable event that is not a new message. message_seq names the message that the event is about; data is the rest.
  `CREATE TABLE room_events (
    room_id uuid NOT NULL,
    seq bigint NOT NULL,
    event text NOT NULL,
    at timestamptz(3) NOT NULL,
    user_id text COLLATE "C",
    ends text,
    message_seq bigint,
    data jsonb,
    PRIMARY KEY (room_id, seq)
  )`,
  // What every instance must learn even when no hint reaches it. Rows live for a minute.
  `CREATE TABLE changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    payload jsonb NOT NULL
  )`,
  `CREATE INDEX changes_xid ON changes (xid)`,

  // Appends messages: one row back for each draft, "ord" from 1. status is created, duplicate, not_found, forbidden or archived.
  // Under READ COMMITTED each statement sees what was committed before it began: so the second one, which starts when the rooms are
  // locked, sees every message that has a seq, and seq order is commit order. Look-ups are LATERAL … LIMIT 1, since as plain joins
  // the cached plan hashes the growing table.
  `CREATE FUNCTION append_messages_v1(
    p_rooms uuid[], p_senders text[], p_client_ids text[], p_texts text[], p_metas jsonb[], p_roles text[]
  ) RETURNS TABLE (ord integer, status text, seq bigint, at timestamptz, epoch text)
  LANGUAGE plpgsql AS $$
  DECLARE v_now timestamptz(3);
  BEGIN
    PERFORM 1 FROM rooms r WHERE r.id = ANY (p_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    RETURN QUERY
    WITH draft AS (
      SELECT d.ord::integer AS ord, d.room_id, d.sender_id, d.client_id, d.body, d.meta,
        row_number() OVER (PARTITION BY d.room_id, d.sender_id, d.client_id ORDER BY d.ord) AS occurrence
      FROM unnest(p_rooms, p_senders, p_client_ids, p_texts, p_metas) WITH ORDINALITY
        AS d(room_id, sender_id, client_id, body, meta, ord)
    ), judged AS (
      SELECT d.*, r.epoch, r.last_seq AS head, greatest(r.last_at, v_now) AS new_at, old.seq AS old_seq, old.created_at AS old_at,
        CASE
          WHEN old.seq IS NOT NULL THEN 'duplicate'
          WHEN r.id IS NULL OR r.deleted_at IS NOT NULL THEN 'not_found'
          WHEN m.role IS NULL THEN CASE r.type WHEN 'public' THEN 'forbidden' ELSE 'not_found' END
          WHEN m.role <> ALL (p_roles) THEN 'forbidden'
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
      coalesce(j.old_seq, n.new_seq), coalesce(j.old_at, n.new_at), j.epoch
    FROM judged j
    LEFT JOIN numbered n ON n.room_id = j.room_id AND n.sender_id = j.sender_id AND n.client_id = j.client_id
    ORDER BY j.ord;
  END $$`,

  // Joins of a user to a public room: one row back for each draft. status is joined, already, not_found, forbidden, archived or full.
  // seq is the event's, null where the join makes none (it was one already, or the room is a large one).
  `CREATE FUNCTION append_joins_v1(p_rooms uuid[], p_users text[], p_large integer, p_max integer)
  RETURNS TABLE (ord integer, status text, role text, seq bigint, at timestamptz, epoch text, head bigint)
  LANGUAGE plpgsql AS $$
  DECLARE v_now timestamptz(3);
  BEGIN
    PERFORM 1 FROM rooms r WHERE r.id = ANY (p_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    RETURN QUERY
    WITH draft AS (
      SELECT d.ord::integer AS ord, d.room_id, d.user_id,
        row_number() OVER (PARTITION BY d.room_id, d.user_id ORDER BY d.ord) AS occurrence
      FROM unnest(p_rooms, p_users) WITH ORDINALITY AS d(room_id, user_id, ord)
    ), judged AS (
      SELECT d.*, r.epoch, r.last_seq, greatest(r.last_at, v_now) AS new_at, r.member_count, m.role AS old_role,
        CASE
          WHEN r.id IS NULL OR r.deleted_at IS NOT NULL THEN 'not_found'
          WHEN m.role IS NOT NULL THEN 'already'
          WHEN r.type <> 'public' THEN 'not_found'
          WHEN b.user_id IS NOT NULL THEN 'forbidden'
          WHEN r.archived_at IS NOT NULL THEN 'archived'
          ELSE 'joined'
        END AS verdict
      FROM draft d
      LEFT JOIN LATERAL (SELECT * FROM rooms x WHERE x.id = d.room_id LIMIT 1) r ON true
      LEFT JOIN LATERAL (SELECT x.role FROM memberships x WHERE x.room_id = d.room_id AND x.user_id = d.user_id LIMIT 1) m ON true
      LEFT JOIN LATERAL (SELECT x.user_id FROM room_bans x WHERE x.room_id = d.room_id AND x.user_id = d.user_id LIMIT 1) b ON true
    ), placed AS (
      SELECT j.*, row_number() OVER (PARTITION BY j.room_id ORDER BY j.ord) AS place
      FROM judged j WHERE j.verdict = 'joined' AND j.occurrence = 1
    ), numbered AS (
      SELECT p.*, CASE WHEN p.member_count + p.place <= p_large THEN p.last_seq + p.place END AS new_seq
      FROM placed p WHERE p.member_count + p.place <= p_max
    ), heads AS (
      SELECT n.room_id, coalesce(max(n.new_seq), max(n.last_seq)) AS head, count(n.new_seq) AS events, count(*) AS members, max(n.new_at) AS at
      FROM numbered n GROUP BY n.room_id
    ), inserted AS (
      INSERT INTO memberships (room_id, user_id, role, read_seq, joined_at)
      SELECT n.room_id, n.user_id, 'member', h.head, n.new_at FROM numbered n JOIN heads h USING (room_id)
    ), logged AS (
      INSERT INTO room_events (room_id, seq, event, at, user_id, data)
      SELECT n.room_id, n.new_seq, 'member.joined', n.new_at, n.user_id,
        jsonb_build_object('user', n.user_id, 'role', 'member', 'by', n.user_id)
      FROM numbered n WHERE n.new_seq IS NOT NULL
    ), raised AS (
      UPDATE rooms r SET last_seq = h.head, last_at = h.at, member_count = r.member_count + h.members::integer
      FROM heads h WHERE r.id = h.room_id
    ), announced AS (
      INSERT INTO changes (kind, payload)
      SELECT 'heads', jsonb_object_agg(h.room_id, h.head) FROM heads h WHERE h.events > 0 HAVING count(*) > 0
    )
    SELECT j.ord,
      CASE
        WHEN j.verdict <> 'joined' THEN j.verdict
        WHEN n.room_id IS NULL THEN 'full'
        WHEN j.occurrence > 1 THEN 'already'
        ELSE 'joined'
      END,
      coalesce(j.old_role, 'member'),
      CASE WHEN j.occurrence = 1 THEN n.new_seq END, n.new_at, j.epoch, coalesce(h.head, j.last_seq)
    FROM judged j
    LEFT JOIN numbered n ON n.room_id = j.room_id AND n.user_id = j.user_id
    LEFT JOIN heads h ON h.room_id = j.room_id
    ORDER BY j.ord;
  END $$`,

  // Up to p_max durable events of a room behind p_after, in seq order and without a gap, with messages as they stand. Ends early when
  // the texts pass p_max_bytes, but not before the first event.
  `CREATE FUNCTION room_events_after_v1(p_room uuid, p_after bigint, p_max integer, p_max_bytes bigint)
  RETURNS TABLE (
    seq bigint, event text, at timestamptz, user_id text, ends text, data jsonb, message_seq bigint, last_seq bigint, sender_id text,
    client_id text, body text, meta jsonb, version integer, created_at timestamptz, edited_at timestamptz, deleted_at timestamptz
  )
  LANGUAGE sql STABLE AS $$
    SELECT y.seq, y.event, y.at, y.user_id, y.ends, y.data, y.message_seq, y.last_seq, y.sender_id,
      y.client_id, y.body, y.meta, y.version, y.created_at, y.edited_at, y.deleted_at
    FROM (
      SELECT u.*, m.last_seq, m.sender_id, m.client_id, m.text AS body, m.meta, m.version, m.created_at, m.edited_at, m.deleted_at,
        row_number() OVER w AS place,
        sum(300 + coalesce(octet_length(m.text) + pg_column_size(m.meta), 0) + coalesce(pg_column_size(u.data), 0)) OVER w AS bytes
      FROM (
        (SELECT x.seq, 'message.created' AS event, x.created_at AS at, x.sender_id AS user_id, NULL::text AS ends, NULL::jsonb AS data,
          x.seq AS message_seq
        FROM messages x WHERE x.room_id = p_room AND x.seq > p_after ORDER BY x.seq LIMIT p_max)
        UNION ALL
        (SELECT x.seq, x.event, x.at, x.user_id, x.ends, x.data, x.message_seq
        FROM room_events x WHERE x.room_id = p_room AND x.seq > p_after ORDER BY x.seq LIMIT p_max)
        ORDER BY seq LIMIT p_max
      ) u
      LEFT JOIN messages m ON m.room_id = p_room AND m.seq = u.message_seq
      WINDOW w AS (ORDER BY u.seq)
    ) y
    WHERE y.place = 1 OR y.bytes <= p_max_bytes
    ORDER BY y.seq
  $$`,
];
