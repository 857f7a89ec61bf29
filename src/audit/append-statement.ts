import type { Statement } from '../database/sql.js';
import type { AuditEntry } from './audit-entry.js';

/** $1: a JSON list of entries, each as `storedEntry` writes it; they are added in its order. */
export const APPEND_AUDIT: Statement = { name: 'append_audit', text: 'SELECT append_audit_v1($1::jsonb) AS seq' };

export function storedEntry({ action, outcome, actor, target, address, requestId, details }: AuditEntry): string {
  const row = { action, outcome, actorKind: actor.kind, actorId: actor.id, target, address, requestId, details: details ?? null };
  return JSON.stringify(row, storable);
}

/** PostgreSQL stores neither U+0000 nor lone surrogates, and whoever sends them must not thereby stay out of the log. */
function storable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? Buffer.from(value).toString().replaceAll('\0', '\uFFFD') : value;
}
