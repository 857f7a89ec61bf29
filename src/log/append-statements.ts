import type { RecordedAct } from '../bus/room-bus.js';
import type { Statement } from '../database/sql.js';

/** One call appends a whole batch of messages; see the function in the migrations. */
export const APPEND_MESSAGES: Statement = {
  name: 'append_messages_v2',
  text: `SELECT ord, status, seq, at, epoch, until
    FROM append_messages_v2($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::boolean[], $7::text[])`,
};

export interface AppendMessageRow {
  ord: number;
  status: 'created' | 'duplicate' | 'not_found' | 'forbidden' | 'barred' | 'muted' | 'archived';
  seq: string | null;
  at: Date | null;
  epoch: string | null;
  /** With `muted`: when that ends by itself. */
  until: Date | null;
}

export const APPEND_JOINS: Statement = {
  name: 'append_joins_v4',
  text: `SELECT ord, status, role, seq, at, epoch, act FROM append_joins_v4($1::uuid[], $2::text[], $3, $4, $5)`,
};

export interface AppendJoinRow {
  ord: number;
  status: 'joined' | 'already' | 'not_found' | 'forbidden' | 'archived' | 'full' | 'too_many';
  role: 'owner' | 'moderator' | 'member';
  seq: string | null;
  at: Date | null;
  epoch: string | null;
  /** Of a new member. */
  act: RecordedAct | null;
}
