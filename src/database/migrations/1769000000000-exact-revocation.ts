import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a user's tokens were voided, to the microsecond, so that those made in the same second are told apart. */
export class ExactRevocation1769000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Instances of the release before this one go on writing whole seconds. The table is not written anew.
    await runner.query(`ALTER TABLE users ALTER COLUMN tokens_not_before TYPE timestamptz(6)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    // Up to the end of a second, as they are compared then.
    await runner.query(
      `ALTER TABLE users ALTER COLUMN tokens_not_before TYPE timestamptz(0) USING date_trunc('second', tokens_not_before)`,
    );
  }
}
