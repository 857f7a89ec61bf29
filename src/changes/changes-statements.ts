import type { Act } from '../bus/room-bus.js';
import type { Statement } from '../database/sql.js';

// A row may become visible after a later one, when its transaction took longer: so the next poll begins at the oldest transaction
// that was still under way, not behind the newest row. Rows come again; nothing is skipped.
export const POLL_CHANGES: Statement = {
  name: 'poll_changes',
  text: `SELECT c.kind, c.id, c.xid::text AS xid, c.payload, pg_snapshot_xmin(pg_current_snapshot())::text AS next, h.xid::text AS horizon
    FROM changes_horizon h LEFT JOIN changes c ON c.xid >= $1::text::xid8
    ORDER BY c.xid`,
};

export const START_CHANGES: Statement = { name: 'start_changes', text: 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS next' };

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
  next: string;
  horizon: string;
}
