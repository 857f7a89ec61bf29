import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { AccessControl } from '../auth/access-control.service.js';
import type { Principal } from '../auth/principal.js';
import { hasScope, type Scope } from '../auth/scopes.js';
import { UserDirectory } from '../auth/user-directory.js';
import { Config } from '../config/config.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import type { RateLimitPolicy } from '../errors/rate-limit-headers.js';
import { rateLimited } from '../limits/rate-limits.js';
import { type LogTransaction, RoomLog } from '../log/room-log.js';
import { HistoryService } from '../messaging/history.service.js';
import type { MessageName } from '../messaging/message-changes.js';
import { RoomAccess } from '../rooms/access.service.js';
import { requireUnderLock, targetFacts } from '../rooms/membership-changes.js';
import type { Page } from '../rooms/page-cursor.js';
import { OWN_REPORT } from '../rooms/room-access.js';
import { banUnderLock, liftUnderLock, muteUnderLock } from '../rooms/room-sanctions.js';
import { type PageRequest, RoomsRepository } from '../rooms/rooms.repository.js';
import { removeUnderLock } from './message-removals.service.js';
import {
  type Decision,
  FIND_OPEN_REPORT,
  FIND_REPORT,
  HOLD_REPORTER,
  INSERT_REPORT,
  type ReportReason,
  type ReportRow,
  WAIT_FOR_REPORT,
} from './report-statements.js';
import {
  decideReport,
  type ReportFilter,
  reportNotFound,
  ReportsRepository,
  type ReportView,
  reportView,
  type Resolution,
} from './reports.repository.js';

export interface Complaint {
  reason: ReportReason;
  note?: string | undefined;
}

interface Subject {
  user: string;
  room: string | null;
  seq: number | null;
  text: string | null;
}

/** What an administrator decides he must also be allowed to do by itself, or who may decide reports could ban whomever he reports. */
const ACT_SCOPES: Record<Decision, Scope | null> = { dismiss: null, remove: 'messages:write', mute: 'users:write', ban: 'users:write' };

const REPORTS: RateLimitPolicy = { name: 'reports', quota: 30, windowSeconds: 3_600 };

/** What users report, and what moderators make of it. Errors of all: {ChatError} not_found, forbidden, unavailable, timeout. */
@Injectable()
export class Reports {
  constructor(
    private readonly sql: Sql,
    private readonly log: RoomLog,
    private readonly config: Config,
    private readonly access: RoomAccess,
    private readonly history: HistoryService,
    private readonly directory: UserDirectory,
    private readonly control: AccessControl,
    private readonly reports: ReportsRepository,
    private readonly rooms: RoomsRepository,
  ) {}

  /** Of a message that the reporter may read. One that he has reported already, and nobody decided yet, is the same report. */
  async reportMessage(
    reporter: string,
    { room, seq }: MessageName,
    complaint: Complaint,
  ): Promise<{ report: ReportView; created: boolean }> {
    const { sender, text } = await this.history.message(reporter, { room, seq });
    return this.#report(reporter, { user: sender, room, seq, text }, complaint);
  }

  /** Of a user whom the server has seen; otherwise as for a message. */
  async reportUser(reporter: string, user: string, complaint: Complaint): Promise<{ report: ReportView; created: boolean }> {
    const [known] = await this.directory.find([user]);
    if (!known) throw new ChatError('not_found', 'There is no such user.');
    return this.#report(reporter, { user, room: null, seq: null, text: null }, complaint);
  }

  /** The queue of the room's owners and moderators: they are not told who reported, and nobody what was reported of himself. */
  async listOfRoom(caller: string, room: string, status: ReportView['status'] | undefined, page: PageRequest): Promise<Page<ReportView>> {
    await this.access.require(caller, room, 'report.list');
    return this.reports.list('room', caller, { status, room }, page);
  }

  /** All but those about the caller himself. */
  listAll(caller: string, filter: ReportFilter, page: PageRequest): Promise<Page<ReportView>> {
    return this.reports.list('admin', caller, filter, page);
  }

  /**
   * Does what was decided, as the decider could do it himself in the room, and closes the report, in one transaction. The same decision
   * again changes nothing. A mute or a ban is one in the room. Nobody decides about himself, and a moderator about members only.
   * @throws {ChatError} conflict when it was decided otherwise
   */
  async resolveInRoom(room: string, id: string, resolution: Resolution): Promise<ReportView> {
    await this.log.transact(room, async (tx) => {
      const { by, decision, reason, until } = resolution;
      const [report] = await tx.manager.query<ReportRow[]>(FIND_REPORT.text, [id]);
      const isOfRoom = report?.room_id === room;
      const about = isOfRoom ? (await targetFacts(tx, by, report.user_id, null)).target : undefined;
      await requireUnderLock(tx, by, 'report.resolve', about);
      if (!isOfRoom) throw reportNotFound();
      if (!(await decideReport(tx.manager, id, resolution, 'room'))) return;
      if (decision === 'remove') await removeReported(tx, report, resolution);
      if (decision === 'mute') await muteUnderLock(tx, by, report.user_id, { reason, until });
      if (decision === 'ban') await banUnderLock(tx, by, report.user_id, { reason, until });
    });
    return reportView(await this.reports.find(id), 'room');
  }

  /**
   * As `resolveInRoom`, for administrators: a mute or a ban is one on the whole server, and what a room's moderators decided is decided anew.
   * Who dismisses it lifts the mute or the ban in the room that they decided.
   * @throws {ChatError} conflict also when a user is to be removed; forbidden when a key lacks the scope of what is decided
   */
  async resolve(caller: Principal, id: string, order: Omit<Resolution, 'by'>): Promise<ReportView> {
    const resolution = { ...order, by: caller.userId };
    const { decision } = resolution;
    requireScope(caller, ACT_SCOPES[decision]);
    const report = await this.reports.find(id);
    if (report.user_id === caller.userId) throw new ChatError('forbidden', OWN_REPORT);
    const { room_id: room } = report;
    if (decision === 'remove' && room === null)
      throw new ChatError('conflict', 'The report is about a user: there is no message to remove.');
    const isOfRoom = room !== null && (decision === 'remove' || decision === 'dismiss');
    // What was said in a room that is gone is gone with it: to decide so is all there is to do.
    if (!isOfRoom || (await this.rooms.find(room)) === null) await this.#resolveOnServer(caller, report, resolution);
    else {
      await this.log.transact(room, async (tx) => {
        if (!(await decideReport(tx.manager, id, resolution, 'server'))) return;
        if (decision === 'remove') await removeReported(tx, report, resolution);
        else await liftOverruled(tx, id, caller);
      });
    }
    return reportView(await this.reports.find(id), 'admin');
  }

  async #resolveOnServer(caller: Principal, { id, user_id: user }: ReportRow, resolution: Resolution): Promise<void> {
    const { decision } = resolution;
    const tell = await this.sql.transaction(async (manager) => {
      const isNew = await decideReport(manager, id, resolution, 'server');
      if (!isNew || (decision !== 'ban' && decision !== 'mute')) return undefined;
      return this.control.sanctionWithin(manager, decision, user, { ...resolution, by: caller });
    });
    tell?.();
  }

  async #report(
    reporter: string,
    { user, room, seq, text }: Subject,
    { reason, note = null }: { reason: ReportReason; note?: string | null | undefined },
  ): Promise<{ report: ReportView; created: boolean }> {
    return this.sql.transaction(async (manager) => {
      await manager.query(HOLD_REPORTER, [reporter]);
      const [open] = await manager.query<ReportRow[]>(FIND_OPEN_REPORT.text, [reporter, user, room, seq]);
      if (open) return { report: reportView(open, 'admin'), created: false };
      const [full] = this.config.limits ? await manager.query<WaitRow[]>(WAIT_FOR_REPORT.text, [reporter, REPORTS.quota]) : [];
      if (full) throw rateLimited(full.wait_ms, REPORTS);
      const values = [uuidv7(), reporter, user, room, seq, reason, note, text];
      const [made] = await manager.query<ReportRow[]>(INSERT_REPORT.text, values);
      return { report: reportView(made!, 'admin'), created: true };
    });
  }
}

function requireScope(caller: Principal, scope: Scope | null): void {
  if (scope !== null && !hasScope(caller, scope)) throw new ChatError('forbidden', `To decide this takes the scope ${scope} too.`);
}

// Asked for behind the decision, since the room may have decided in the meantime.
async function liftOverruled(tx: LogTransaction, id: string, caller: Principal): Promise<void> {
  const [report] = await tx.manager.query<ReportRow[]>(FIND_REPORT.text, [id]);
  const { overruled, user_id: user } = report!;
  if (overruled?.decision !== 'ban' && overruled?.decision !== 'mute') return;
  requireScope(caller, 'rooms:write');
  await liftUnderLock(tx, overruled.decision, user, overruled);
}

interface WaitRow {
  wait_ms: number;
}

async function removeReported(tx: LogTransaction, { seq }: ReportRow, { by, reason }: Resolution): Promise<void> {
  await removeUnderLock(tx, Number(seq), { by, reason });
}
