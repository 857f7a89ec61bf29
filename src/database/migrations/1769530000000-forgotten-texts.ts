import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Of a removal whose text is forgotten, who removed it, why and when is kept. */
export class ForgottenTexts1769530000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE message_removals ALTER COLUMN text DROP NOT NULL`);
    await runner.query(`CREATE INDEX message_removals_kept ON message_removals (removed_at) WHERE text IS NOT NULL`);
    await runner.query(`DROP INDEX message_removals_age`);
  }

  /** The release before keeps no removal without its text. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM message_removals WHERE text IS NULL`);
    await runner.query(`CREATE INDEX message_removals_age ON message_removals (removed_at)`);
    await runner.query(`DROP INDEX message_removals_kept`);
    await runner.query(`ALTER TABLE message_removals ALTER COLUMN text SET NOT NULL`);
  }
}
