import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What several instances need of each other: acts of control in `changes`, the end of what was removed from it, and revocations. */
export class ManyInstances1765000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION append_joins_v2, record_act_v1`);
    await runner.query(`DROP TABLE changes_horizon, revoked_tokens`);
    await runner.query(`ALTER TABLE users DROP COLUMN tokens_not_before`);
    await runner.query(`DELETE FROM changes WHERE kind = 'act'`);
    await runner.query(`ALTER TABLE changes DROP COLUMN id`);
  }
}

const UP = [
  // Only acts have an id: who heard of one by the bus knows it again by that.
  `ALTER TABLE changes ADD COLUMN id uuid`,
  // The one row says which changes are gone: those of transactions before xid. Who has not read so far has missed some.
  `CREATE TABLE changes_horizon (is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), xid xid8 NOT NULL)`,
  `INSERT INTO changes_horizon (xid) VALUES ('0'::xid8)`,

  // Tokens of the user that were issued in or before this second are void.
  `ALTER TABLE users ADD COLUMN tokens_not_before timestamptz(0)`,
  `CREATE INDEX users_revoked ON users (tokens_not_before) WHERE tokens_not_before IS NOT NULL`,
  // Single access tokens, by "jti", until they would have expired.
  `CREATE TABLE revoked_tokens (
    token_id text COLLATE "C" PRIMARY KEY,
    expires_at timestamptz(3) NOT NULL
  )`,
  `CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at)`,

  // Adds an act to the caller's transaction, for every instance to learn of. What comes back is for the bus, once that is committed.
  `CREATE FUNCTION record_act_v1(p_act jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    INSERT INTO changes (kind, id, payload) VALUES ('act', gen_random_uuid(), p_act)
    RETURNING jsonb_build_object('id', id, 'xid', xid::text, 'act', payload)
  $$`,

  // As the first version, which instances of the release before this one call; and each join is an act.
  `CREATE FUNCTION append_joins_v2(p_rooms uuid[], p_users text[], p_large integer, p_max integer)
  RETURNS TABLE (ord integer, status text, role text, seq bigint, at timestamptz, epoch text, act jsonb)
  LANGUAGE sql VOLATILE AS $$
    SELECT j.ord, j.status, j.role, j.seq, j.at, j.epoch,
      CASE WHEN j.status = 'joined' THEN record_act_v1(jsonb_build_object(
        'kind', 'room.added', 'room', p_rooms[j.ord], 'users', jsonb_build_array(p_users[j.ord]), 'role', j.role
      )) END
    FROM append_joins_v1(p_rooms, p_users, p_large, p_max) j
  $$`,
];
