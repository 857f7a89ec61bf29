import type { Statement } from '../database/sql.js';

export const REPORT_REASONS = ['spam', 'abuse', 'illegal', 'other'] as const;
export type ReportReason = (typeof REPORT_REASONS)[number];
export const DECISIONS = ['dismiss', 'remove', 'mute', 'ban'] as const;
export type Decision = (typeof DECISIONS)[number];

export interface ReportRow {
  id: string;
  reporter_id: string;
  user_id: string;
  room_id: string | null;
  seq: string | null;
  reason: ReportReason;
  note: string | null;
  text: string | null;
  created_at: Date;
  decision: Decision | null;
  decided_by: string | null;
  decision_reason: string | null;
  decision_until: Date | null;
  decided_at: Date | null;
  /** Not true: by the room's moderators, or it is open. */
  decided_by_server: boolean | null;
  overruled: OverruledDecision | null;
}

/** What the room decided before an administrator decided anew; times as PostgreSQL writes them into JSON. */
export interface OverruledDecision {
  decision: Decision;
  by: string;
  reason: string;
  until: string | null;
  at: string;
}

export const REPORT_COLUMNS = `r.id, r.reporter_id, r.user_id, r.room_id, r.seq, r.reason, r.note, r.text, r.created_at, r.decision, r.decided_by,
  r.decision_reason, r.decision_until, r.decided_at, r.decided_by_server, r.overruled`;

/** Reports of one reporter ($1) are made one after the other until the end of the transaction: so what is counted stays so. */
export const HOLD_REPORTER = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 8))';

/** When the reporter $1 made $2 reports in the last hour: how long it takes until he may make another. */
export const WAIT_FOR_REPORT: Statement = {
  name: 'wait_for_report',
  text: `SELECT ceil(extract(epoch FROM r.created_at + interval '1 hour' - clock_timestamp()) * 1000)::integer AS wait_ms
    FROM reports r WHERE r.reporter_id = $1 AND r.created_at > clock_timestamp() - interval '1 hour'
    ORDER BY r.created_at DESC OFFSET $2::integer - 1 LIMIT 1`,
};

/** $1 id, $2 reporter, $3 user, $4 room, $5 seq, $6 reason, $7 note, $8 text. */
export const INSERT_REPORT: Statement = {
  name: 'insert_report_v2',
  text: `INSERT INTO reports AS r (id, reporter_id, user_id, room_id, seq, reason, note, text)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${REPORT_COLUMNS}`,
};

export const FIND_OPEN_REPORT: Statement = {
  name: 'find_open_report',
  text: `SELECT ${REPORT_COLUMNS} FROM reports r
    WHERE r.reporter_id = $1 AND r.user_id = $2 AND r.room_id IS NOT DISTINCT FROM $3::uuid AND r.seq IS NOT DISTINCT FROM $4::bigint
      AND r.decided_at IS NULL`,
};

export const FIND_REPORT: Statement = { name: 'find_report', text: `SELECT ${REPORT_COLUMNS} FROM reports r WHERE r.id = $1` };

const SAME_THING = `r.user_id = given.user_id AND r.room_id IS NOT DISTINCT FROM given.room_id AND r.seq IS NOT DISTINCT FROM given.seq`;

/** The report $1, and all others of the same thing. */
export const LOCK_REPORTS = `SELECT r.id, r.decision, r.decided_by_server FROM reports given JOIN reports r ON ${SAME_THING}
    WHERE given.id = $1 ORDER BY r.id FOR UPDATE OF r`;

/**
 * Decides the report $1, and with it all open ones of the same thing; for the server those too that the room has decided.
 * $2 decision, $3 by, $4 reason, $5 until, $6 whether for the server
 */
export const DECIDE_REPORTS = `UPDATE reports r SET
      overruled = CASE WHEN r.decided_at IS NOT NULL THEN jsonb_build_object(
        'decision', r.decision, 'by', r.decided_by, 'reason', r.decision_reason, 'until', r.decision_until, 'at', r.decided_at
      ) END,
      decision = $2, decided_by = $3, decision_reason = $4, decision_until = $5, decided_at = clock_timestamp(), decided_by_server = $6
    FROM reports given
    WHERE given.id = $1 AND ${SAME_THING} AND (r.decided_at IS NULL OR ($6::boolean AND r.decided_by_server IS NOT TRUE))`;
