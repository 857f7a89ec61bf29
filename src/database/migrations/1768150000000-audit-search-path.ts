import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The function that adds to the audit log runs with its owner's rights, so that it must find its own tables and nobody else's. A temporary
 * table comes before all others unless it is named last: whoever may only add could have put one of its name, with a trigger, in the way.
 */
export class AuditSearchPath1768150000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DO $$ BEGIN EXECUTE format('ALTER FUNCTION append_audit_v1(jsonb) SET search_path = %I, pg_temp', current_schema()); END $$`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER FUNCTION append_audit_v1(jsonb) SET search_path FROM CURRENT');
  }
}
