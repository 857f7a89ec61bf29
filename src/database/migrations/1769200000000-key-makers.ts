import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose API keys are whose: those of a user who is dismissed are found, and revoked together. */
export class KeyMakers1769200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The users who had the token signed that the key was made by: it is theirs as well as created_by's. The release before this one leaves it out.
    await runner.query(`ALTER TABLE api_keys ADD COLUMN minters text[] COLLATE "C" NOT NULL DEFAULT '{}'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE api_keys DROP COLUMN minters`);
  }
}
