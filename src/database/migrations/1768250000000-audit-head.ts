import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The end of the audit log's chain is held as its rows are: it is neither removed nor set back, and no row comes before the first. */
export class AuditHead1768250000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER audit_head_stays ON audit_head');
    await runner.query('DROP TRIGGER audit_head_grows ON audit_head');
    await runner.query('ALTER TABLE audit_log DROP CONSTRAINT audit_log_seq');
  }
}

const UP = [
  // Not checked of the rows that are there, which may be many: `audit:verify` does.
  `ALTER TABLE audit_log ADD CONSTRAINT audit_log_seq CHECK (seq > 0) NOT VALID`,
  `CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change_v1()`,
  `CREATE TRIGGER audit_head_grows BEFORE UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq <= OLD.seq)
    EXECUTE FUNCTION refuse_audit_change_v1()`,
  `ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_stays`,
  `ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_grows`,
];
