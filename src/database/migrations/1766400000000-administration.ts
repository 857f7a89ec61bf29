import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What administrators read and set: disabled users, stored roles, prefix searches, the instances that there are, and statistics. */
export class Administration1766400000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DROP TABLE statistics_progress, statistics_active_users, statistics_rooms, statistics_daily, statistics_hourly, instances`,
    );
    await runner.query(
      `DROP INDEX rooms_created, rooms_name_prefix, accounts_username_prefix, users_created, users_name_prefix, users_with_roles, users_disabled`,
    );
    await runner.query(
      `ALTER TABLE users DROP COLUMN roles, DROP COLUMN disabled_at, DROP COLUMN disabled_by, DROP COLUMN disabled_reason`,
    );
  }
}

const UP = [
  // A disabled user cannot log in, call or open a socket. Roles go into the tokens that a login signs.
  `ALTER TABLE users
    ADD COLUMN roles text[] NOT NULL DEFAULT '{}',
    ADD COLUMN disabled_at timestamptz(3),
    ADD COLUMN disabled_by text COLLATE "C",
    ADD COLUMN disabled_reason text`,
  `CREATE INDEX users_disabled ON users (id) WHERE disabled_at IS NOT NULL`,
  `CREATE INDEX users_with_roles ON users (id) WHERE roles <> '{}'`,
  // Searches go by what a name begins with: no extension is needed for that. Ids are in "C" order already.
  `CREATE INDEX users_name_prefix ON users (lower(name) text_pattern_ops)`,
  `CREATE INDEX users_created ON users (created_at)`,
  `CREATE INDEX accounts_username_prefix ON accounts (lower(username) text_pattern_ops)`,
  `CREATE INDEX rooms_name_prefix ON rooms (lower(name) text_pattern_ops) WHERE deleted_at IS NULL`,
  `CREATE INDEX rooms_created ON rooms (created_at)`,

  // Each instance says every few seconds that it is there.
  `CREATE TABLE instances (
    id uuid PRIMARY KEY,
    started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    connections integer NOT NULL
  )`,

  `CREATE TABLE statistics_hourly (
    hour timestamptz(0) PRIMARY KEY,
    messages bigint NOT NULL DEFAULT 0,
    active_users integer NOT NULL DEFAULT 0,
    new_users integer NOT NULL DEFAULT 0,
    new_rooms integer NOT NULL DEFAULT 0,
    peak_connections integer NOT NULL DEFAULT 0
  )`,
  // Only what is no sum or maximum of its hours.
  `CREATE TABLE statistics_daily (
    day timestamptz(0) PRIMARY KEY,
    active_users integer NOT NULL DEFAULT 0
  )`,
  // Who has been counted as active in an hour or a day; kept for some days.
  `CREATE TABLE statistics_active_users (
    period text NOT NULL CHECK (period IN ('hour', 'day')),
    at timestamptz(0) NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (period, at, user_id)
  )`,
  // Up to which seq the messages of a room are counted. Statistics begin with this release.
  `CREATE TABLE statistics_rooms (
    room_id uuid PRIMARY KEY,
    counted_seq bigint NOT NULL
  ) WITH (fillfactor = 70)`,
  `INSERT INTO statistics_rooms (room_id, counted_seq) SELECT id, last_seq FROM rooms`,
  // The one row says from which transaction on "changes" may name rooms that are not counted yet.
  `CREATE TABLE statistics_progress (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    next_xid xid8 NOT NULL,
    counted_at timestamptz NOT NULL,
    messages_per_minute integer NOT NULL DEFAULT 0
  )`,
  `INSERT INTO statistics_progress (next_xid, counted_at) VALUES (pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp())`,
];
