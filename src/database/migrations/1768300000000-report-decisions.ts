import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who decided a report: the room's moderators, whom administrators may overrule, or an administrator. */
export class ReportDecisions1768300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // decided_by_server: not true where the room decided, or an instance of the release before this one, which does not say.
    // overruled: the decision of the room that an administrator replaced.
    await runner.query(`ALTER TABLE reports ADD COLUMN decided_by_server boolean, ADD COLUMN overruled jsonb`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE reports DROP COLUMN decided_by_server, DROP COLUMN overruled`);
  }
}
