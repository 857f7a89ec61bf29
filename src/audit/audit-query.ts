import { Injectable } from '@nestjs/common';
import { Sql, type Statement } from '../database/sql.js';
import type { AuditActor, AuditOutcome } from './audit-entry.js';

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  outcome?: AuditOutcome | undefined;
  /** A value of the target, of whatever field. */
  target?: string | undefined;
  /** From this moment on. */
  from?: Date | undefined;
  /** Before this moment. */
  to?: Date | undefined;
}

/** An entry as it is read. `hash` covers all of it, and `prevHash`. */
export interface AuditRecord {
  seq: number;
  at: string;
  action: string;
  outcome: AuditOutcome;
  actor: AuditActor;
  target: Record<string, string> | null;
  address: string | null;
  requestId: string | null;
  details: Record<string, unknown> | null;
  prevHash: string;
  hash: string;
}

interface Row {
  seq: string;
  at: Date;
  action: string;
  outcome: AuditOutcome;
  actor_kind: AuditActor['kind'];
  actor_id: string | null;
  target: Record<string, string> | null;
  address: string | null;
  request_id: string | null;
  details: Record<string, unknown> | null;
  prev_hash: string;
  hash: string;
}

const SELECT = `
  SELECT seq, at, action, outcome, actor_kind, actor_id, target, address, request_id, details,
    encode(prev_hash, 'hex') AS prev_hash, encode(hash, 'hex') AS hash
  FROM audit_log
  WHERE ($1::text IS NULL OR actor_id = $1) AND ($2::text IS NULL OR action = $2) AND ($3::text IS NULL OR outcome = $3)
    AND ($4::text IS NULL OR jsonb_path_query_array(target, '$.*') @> jsonb_build_array($4)) AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)`;
const NEWEST: Statement = {
  name: 'audit_newest',
  text: `${SELECT} AND ($7::bigint IS NULL OR seq < $7) ORDER BY seq DESC LIMIT $8`,
};
const OLDEST: Statement = { name: 'audit_oldest', text: `${SELECT} AND seq > $7 AND seq <= $8 ORDER BY seq LIMIT $9` };
const HEAD: Statement = { name: 'audit_head', text: 'SELECT seq FROM audit_head' };

const EXPORT_PAGE_ROWS = 500;

/** Reads the audit log. Errors of all: {ChatError} unavailable, timeout. */
@Injectable()
export class AuditQuery {
  constructor(private readonly sql: Sql) {}

  /** Newest first, those below `before`. */
  async newest(filter: AuditFilter, before: number | null, count: number): Promise<AuditRecord[]> {
    return (await this.sql.query<Row>(NEWEST, [...valuesOf(filter), before, count])).map(recordOf);
  }

  /**
   * All that there is when it begins, oldest first. Read in pages, as fast as they are taken: rows do not change, so that pages are as good
   * as a cursor, and no connection is held while a slow reader thinks.
   */
  async *all(filter: AuditFilter): AsyncGenerator<AuditRecord> {
    const [head] = await this.sql.query<{ seq: string }>(HEAD, []);
    for (let after = 0; ;) {
      const rows = await this.sql.query<Row>(OLDEST, [...valuesOf(filter), after, head!.seq, EXPORT_PAGE_ROWS]);
      for (const row of rows) yield recordOf(row);
      if (rows.length < EXPORT_PAGE_ROWS) return;
      after = Number(rows.at(-1)!.seq);
    }
  }
}

function valuesOf({ actor, action, outcome, target, from, to }: AuditFilter): unknown[] {
  return [actor ?? null, action ?? null, outcome ?? null, target ?? null, from ?? null, to ?? null];
}

function recordOf(row: Row): AuditRecord {
  return {
    seq: Number(row.seq),
    at: row.at.toISOString(),
    action: row.action,
    outcome: row.outcome,
    actor: { kind: row.actor_kind, id: row.actor_id },
    target: row.target,
    address: row.address,
    requestId: row.request_id,
    details: row.details,
    prevHash: row.prev_hash,
    hash: row.hash,
  };
}
