import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Conditions, isSet } from '../database/conditions.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';
import {
  DECIDE_REPORTS,
  type Decision,
  FIND_REPORT,
  LOCK_REPORTS,
  REPORT_COLUMNS,
  type ReportReason,
  type ReportRow,
} from './report-statements.js';

export interface ReportView {
  id: string;
  /** Null where the reader may not know: among the moderators of a room. */
  reporter: string | null;
  /** Whom it is about: the sender of the message. */
  user: string;
  room: string | null;
  seq: number | null;
  reason: ReportReason;
  note: string | null;
  /** What the message said when it was reported. */
  text: string | null;
  createdAt: string;
  status: 'open' | 'resolved';
  resolution: ResolutionView | null;
  /** What the room's moderators decided before an administrator decided anew. */
  overruled: ResolutionView | null;
}

/** Who decided: the moderators of the room, for the room, or an administrator, for the whole server. */
export const DECIDED_IN = ['room', 'server'] as const;
export type DecidedIn = (typeof DECIDED_IN)[number];

export interface ResolutionView {
  decision: Decision;
  decidedIn: DecidedIn;
  by: string;
  reason: string;
  until: string | null;
  at: string;
}

export interface Resolution {
  decision: Decision;
  by: string;
  reason: string;
  until?: Date | undefined;
}

export interface ReportFilter {
  status?: ReportView['status'] | undefined;
  room?: string | undefined;
  user?: string | undefined;
  decidedIn?: DecidedIn | undefined;
}

export type Reader = 'admin' | 'room';

export function reportNotFound(): ChatError {
  return new ChatError('not_found', 'There is no such report.');
}

@Injectable()
export class ReportsRepository {
  constructor(private readonly sql: Sql) {}

  /** @throws {ChatError} not_found */
  async find(id: string): Promise<ReportRow> {
    const [row] = await this.sql.query<ReportRow>(FIND_REPORT, [id]);
    if (!row) throw reportNotFound();
    return row;
  }

  /** Oldest first, without those about `by` himself, who asks: what is said of him could tell him who said it. */
  async list(reader: Reader, by: string, filter: ReportFilter, { cursor, limit }: PageRequest): Promise<Page<ReportView>> {
    const pages = new PageCursor('id', 'reports', JSON.stringify([reader, by, filter.status, filter.room, filter.user, filter.decidedIn]));
    const [after] = pages.read(cursor) ?? [null];
    const { text, values } = reportsListed(filter, by, after, limit + 1);
    const rows = await this.sql.query<ReportRow>({ text }, values);
    return pages.page(
      rows,
      limit,
      (row) => [row.id],
      (row) => reportView(row, reader),
    );
  }
}

/** The first reports behind `after` that are not about `by`, the oldest first. */
export function reportsListed(
  { status, room, user, decidedIn }: ReportFilter,
  by: string,
  after: string | null,
  limit: number,
): { text: string; values: unknown[] } {
  const conditions = new Conditions()
    .add('r.id > ?', after)
    .also(isSet('r.decided_at', status && status === 'resolved'))
    .also(
      decidedIn === undefined ? null : `r.decided_at IS NOT NULL AND r.decided_by_server IS ${decidedIn === 'server' ? '' : 'NOT '}TRUE`,
    )
    .add('r.room_id = ?', room)
    .add('r.user_id = ?', user)
    .add('r.user_id <> ?', by);
  const text = `SELECT ${REPORT_COLUMNS} FROM reports r ${conditions.where} ORDER BY r.id LIMIT ${conditions.parameter(limit)}`;
  return { text, values: conditions.values };
}

const ENDING: readonly Decision[] = ['mute', 'ban'];

/**
 * Closes the report within the caller's transaction, and with it all open ones of the same thing. For the server it decides anew what a
 * room has decided.
 * @returns false when it was closed already, by the same decision
 * @throws {ChatError} conflict when it was closed by another one, or is to end and cannot
 */
export async function decideReport(
  manager: EntityManager,
  id: string,
  { decision, by, reason, until }: Resolution,
  decidedIn: DecidedIn,
): Promise<boolean> {
  if (until && !ENDING.includes(decision))
    throw new ChatError('conflict', 'Only a mute or a ban ends by itself: `until` goes with no other decision.');
  // All reports of the thing, in the order of their ids: two who decide two of them do not wait for each other in a circle.
  const rows = await manager.query<Pick<ReportRow, 'id' | 'decision' | 'decided_by_server'>[]>(LOCK_REPORTS, [id]);
  const row = rows.find((one) => one.id === id);
  if (!row) throw reportNotFound();
  const isForServer = decidedIn === 'server';
  if (row.decision !== null && (!isForServer || row.decided_by_server)) {
    if (row.decision === decision) return false;
    throw new ChatError('conflict', `The report has been decided otherwise: ${row.decision}.`);
  }
  await manager.query(DECIDE_REPORTS, [id, decision, by, reason, until ?? null, isForServer]);
  return true;
}

export function reportView(row: ReportRow, reader: Reader): ReportView {
  const { id, user_id: user, room_id: room, reason, note, text, decided_at } = row;
  return {
    id,
    reporter: reader === 'admin' ? row.reporter_id : null,
    user,
    room,
    seq: row.seq === null ? null : Number(row.seq),
    reason,
    note,
    text,
    createdAt: row.created_at.toISOString(),
    status: decided_at ? 'resolved' : 'open',
    resolution: decided_at && {
      decision: row.decision!,
      decidedIn: row.decided_by_server ? 'server' : 'room',
      by: row.decided_by!,
      reason: row.decision_reason!,
      until: row.decision_until?.toISOString() ?? null,
      at: decided_at.toISOString(),
    },
    overruled: row.overruled && {
      ...row.overruled,
      decidedIn: 'room',
      until: row.overruled.until && new Date(row.overruled.until).toISOString(),
      at: new Date(row.overruled.at).toISOString(),
    },
  };
}
