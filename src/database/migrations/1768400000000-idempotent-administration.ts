import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What administrators' requests are known by when they are tried again. */
export class IdempotentAdministration1768400000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX api_keys_creation`);
    await runner.query(`ALTER TABLE api_keys DROP COLUMN creation_key`);
    await runner.query(`DROP TABLE notice_keys`);
    await runner.query(`DELETE FROM changes WHERE kind = 'act' AND payload ->> 'kind' = 'notice'`);
  }
}

const UP = [
  // Of notices nothing is kept; of those with a key, for a day, that they were sent. digest is of what was said, and to whom.
  `CREATE TABLE notice_keys (
    sender text COLLATE "C" NOT NULL,
    key text NOT NULL,
    notice uuid NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (sender, key)
  )`,
  `CREATE INDEX notice_keys_age ON notice_keys (created_at)`,
  `ALTER TABLE api_keys ADD COLUMN creation_key text`,
  `CREATE UNIQUE INDEX api_keys_creation ON api_keys (created_by, creation_key) WHERE creation_key IS NOT NULL`,
];
