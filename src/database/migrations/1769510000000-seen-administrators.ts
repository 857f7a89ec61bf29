import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whom tokens from elsewhere make an administrator is known by his id too. */
export class SeenAdministrators1769510000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // When a token last brought him the role, to the day. The release before this one leaves it out.
    await runner.query(`ALTER TABLE users ADD COLUMN administrator_seen_at timestamptz(3)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users DROP COLUMN administrator_seen_at`);
  }
}
