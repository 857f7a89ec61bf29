import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which API key another was made by, and ends with. */
export class KeyParents1769100000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE api_keys ADD COLUMN parent_id uuid`);
    await runner.query(`CREATE INDEX api_keys_parent ON api_keys (parent_id) WHERE parent_id IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE api_keys DROP COLUMN parent_id`);
  }
}
