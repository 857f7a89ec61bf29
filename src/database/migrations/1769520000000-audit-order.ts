import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit log takes a row only where the chain goes on, no earlier than the one before and no later than now, and its head is at the last
 * row when a transaction ends: nobody puts an act into the past, nor the head where no row can follow.
 */
export class AuditOrder1769520000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = (await runner.query('SELECT quote_ident(current_schema()) AS schema')) as [{ schema: string }];
    for (const statement of statementsFor(schema)) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    // The head first, as whoever adds to the log locks them: so they do not wait for each other.
    await runner.query('DROP TRIGGER audit_head_follows ON audit_head');
    await runner.query('DROP TRIGGER audit_log_follows ON audit_log');
    await runner.query('DROP TRIGGER audit_log_has_head ON audit_log');
    await runner.query('DROP FUNCTION follow_audit_v1, follow_audit_head_v1, demand_audit_head_v1');
  }
}

// Tables by their schema: a temporary one of their name comes before them on everybody's path.
const statementsFor = (schema: string) => [
  // Behind the row before it, or behind the head where that row is not there any more: a log whose end was cut off must still take acts.
  `CREATE FUNCTION follow_audit_v1() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    v_last timestamptz;
  BEGIN
    SELECT at INTO v_last FROM ${schema}.audit_log WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash;
    IF v_last IS NULL THEN
      SELECT at INTO v_last FROM ${schema}.audit_head WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash;
    END IF;
    IF v_last IS NULL OR NEW.at < v_last OR NEW.at > greatest(v_last, clock_timestamp()) THEN
      RAISE EXCEPTION 'audit_log is append-only: row % does not follow its last one', NEW.seq USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END
  $$`,
  `CREATE FUNCTION follow_audit_head_v1() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NOT EXISTS (SELECT FROM ${schema}.audit_log WHERE seq = NEW.seq AND at = NEW.at AND hash = NEW.hash)
      OR EXISTS (SELECT FROM ${schema}.audit_log WHERE seq > NEW.seq) THEN
      RAISE EXCEPTION 'audit_log is append-only: its head is its last row' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END
  $$`,
  // append_audit_v1 moves the head when its rows are there, and has returned when this runs: as the owner, since who may only call that one
  // need not be able to read.
  `CREATE FUNCTION demand_audit_head_v1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    IF (SELECT seq FROM ${schema}.audit_head) < NEW.seq THEN
      RAISE EXCEPTION 'audit_log is append-only: its head must follow row %', NEW.seq USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
  END
  $$`,
  // The log first: whoever adds to it has locked the head, and asks for a lock of the log that waits for this one.
  `CREATE TRIGGER audit_log_follows BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION follow_audit_v1()`,
  `CREATE CONSTRAINT TRIGGER audit_log_has_head AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION demand_audit_head_v1()`,
  `CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION follow_audit_head_v1()`,
  `ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_follows, ENABLE ALWAYS TRIGGER audit_log_has_head`,
  `ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_follows`,
];
