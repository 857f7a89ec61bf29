import type { Act } from '../bus/room-bus.js';
import type { Statement } from '../database/sql.js';

// A row may become visible after a later one, when its transaction took longer: so a poll reads what the snapshot of the last one did not
// see, not what lies behind the newest row. Nothing is skipped, and nothing comes twice, however long a transaction takes.
export const POLL_CHANGES: Statement = {
  name: 'poll_changes',
  text: `SELECT c.kind, c.id, c.xid::text AS xid, c.payload, pg_current_snapshot()::text AS next, h.xid::text AS horizon
    FROM changes_horizon h LEFT JOIN changes c ON c.xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(c.xid, $1::pg_snapshot)
    ORDER BY c.xid`,
};

// Numbers from the future are those of another PostgreSQL, which this database was dumped from: they would look like changes that were
// missed, at every poll, until this one has come so far.
export const START_CHANGES: Statement = {
  name: 'start_changes',
  text: `WITH now AS (
        SELECT s AS snapshot, pg_snapshot_xmin(s) AS oldest, pg_snapshot_xmax(s) AS future FROM pg_current_snapshot() s
      ),
      foreign_changes AS (DELETE FROM changes USING now WHERE changes.xid >= now.future),
      foreign_horizon AS (UPDATE changes_horizon SET xid = now.oldest FROM now WHERE changes_horizon.xid > now.oldest)
    SELECT snapshot::text AS next FROM now`,
};

export const CLEAN_CHANGES: Statement = {
  name: 'clean_changes',
  text: `WITH gone AS (DELETE FROM changes WHERE xid < $1::text::xid8)
    UPDATE changes_horizon SET xid = $1::text::xid8 WHERE xid < $1::text::xid8`,
};

export interface ChangeRow {
  /** All null in the one row of a poll that finds nothing. */
  kind: 'heads' | 'act' | null;
  id: string | null;
  xid: string | null;
  payload: Record<string, number> | Act | null;
  /** The snapshot that the poll saw the database by. */
  next: string;
  horizon: string;
}
