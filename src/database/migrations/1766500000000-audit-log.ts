import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit log: rows that are only ever added, each chained to the one before by its hash. */
export class AuditLog1766500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit_log, audit_head`);
    await runner.query(`DROP FUNCTION append_audit_v1, audit_field_v1, refuse_audit_change_v1`);
  }
}

const UP = [
  `CREATE TABLE audit_log (
    seq bigint PRIMARY KEY,
    at timestamptz(3) NOT NULL,
    action text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('begun', 'ok', 'denied', 'failed')),
    actor_kind text COLLATE "C" NOT NULL,
    actor_id text COLLATE "C",
    target jsonb,
    address text COLLATE "C",
    request_id text COLLATE "C",
    details jsonb,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL
  )`,
  `CREATE INDEX audit_log_actor ON audit_log (actor_id, seq)`,
  `CREATE INDEX audit_log_action ON audit_log (action, seq)`,
  `CREATE INDEX audit_log_at ON audit_log (at)`,
  `CREATE INDEX audit_log_target ON audit_log USING gin (jsonb_path_query_array(target, '$.*') jsonb_path_ops)`,

  // The one row is the end of the chain, and the lock of who adds to it.
  `CREATE TABLE audit_head (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    seq bigint NOT NULL,
    at timestamptz(3) NOT NULL,
    hash bytea NOT NULL
  )`,
  `INSERT INTO audit_head (seq, at, hash) VALUES (0, '-infinity', decode(repeat('00', 32), 'hex'))`,

  // A field in the text that is hashed: its length comes first, so that no two rows have one text. src/audit/audit-chain.ts says the same.
  `CREATE FUNCTION audit_field_v1(p_value text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_to(CASE WHEN p_value IS NULL THEN '-' ELSE octet_length(convert_to(p_value, 'UTF8')) || ':' || p_value END || ',', 'UTF8')
  $$`,

  // Adds entries in their order, numbered without a hole. Runs as its owner, so that who adds needs no right to the tables.
  `CREATE FUNCTION append_audit_v1(p_entries jsonb) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  DECLARE
    head audit_head;
    entry jsonb;
    v_prev bytea;
    v_target jsonb;
    v_details jsonb;
  BEGIN
    SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
    FOR entry IN SELECT value FROM jsonb_array_elements(p_entries) WITH ORDINALITY ORDER BY ordinality LOOP
      v_prev := head.hash;
      v_target := nullif(entry -> 'target', 'null');
      v_details := nullif(entry -> 'details', 'null');
      head.seq := head.seq + 1;
      head.at := greatest(head.at, date_trunc('milliseconds', clock_timestamp()));
      head.hash := sha256(
        v_prev || audit_field_v1(head.seq::text) || audit_field_v1((extract(epoch FROM head.at) * 1000)::bigint::text)
        || audit_field_v1(entry ->> 'action') || audit_field_v1(entry ->> 'outcome')
        || audit_field_v1(entry ->> 'actorKind') || audit_field_v1(entry ->> 'actorId') || audit_field_v1(v_target::text)
        || audit_field_v1(entry ->> 'address') || audit_field_v1(entry ->> 'requestId') || audit_field_v1(v_details::text)
      );
      INSERT INTO audit_log (seq, at, action, outcome, actor_kind, actor_id, target, address, request_id, details, prev_hash, hash)
      VALUES (head.seq, head.at, entry ->> 'action', entry ->> 'outcome', entry ->> 'actorKind', entry ->> 'actorId', v_target,
        entry ->> 'address', entry ->> 'requestId', v_details, v_prev, head.hash);
    END LOOP;
    UPDATE audit_head SET seq = head.seq, at = head.at, hash = head.hash;
    RETURN head.seq;
  END
  $$`,

  // For everybody, whatever his rights: a superuser passes every privilege, and no trigger. ALWAYS: also as a replica.
  `CREATE FUNCTION refuse_audit_change_v1() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
  END
  $$`,
  `CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change_v1()`,
  `ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only`,
  `REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC, CURRENT_USER`,
];
