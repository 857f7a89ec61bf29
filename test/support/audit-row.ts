/** A row of `audit_log`, as PostgreSQL gives it. */
export interface AuditRow {
  seq: string;
  action: string;
  outcome: string;
  actor_kind: string;
  actor_id: string | null;
  target: Record<string, string> | null;
  address: string | null;
  request_id: string | null;
  details: Record<string, unknown> | null;
}
