import type { MigrationInterface, QueryRunner } from 'typeorm';

/** API keys of backends. */
export class Identity1766200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE api_keys`);
  }
}

const UP = [
  `CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    bot_user text COLLATE "C" NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz(3),
    revoked_at timestamptz(3),
    last_used_at timestamptz(3)
  )`,
  // Read at every start, and anew when acts were missed.
  `CREATE INDEX api_keys_revoked ON api_keys (id) WHERE revoked_at IS NOT NULL`,
];
