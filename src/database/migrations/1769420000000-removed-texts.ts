import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds the removed texts, and the reports that quote some, whose time is over. */
export class RemovedTexts1769420000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX message_removals_age ON message_removals (removed_at)`);
    await runner.query(`CREATE INDEX reports_quoting ON reports (decided_at) WHERE decided_at IS NOT NULL AND text IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX message_removals_age, reports_quoting`);
  }
}
