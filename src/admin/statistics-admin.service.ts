import { Injectable } from '@nestjs/common';
import { Instances, type LiveInstance } from '../changes/instances.js';
import { Sql } from '../database/sql.js';
import { PresenceStore } from '../presence/presence-store.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';
import { COUNT_TABLES, DAILY_HISTORY, type HistoryRow, HOURLY_HISTORY, type TableCounts } from './statistics-statements.js';

/** Rows that are counted one by one. */
const MAX_COUNTED = 100_000;

export interface CountView {
  count: number;
  /** An estimate of PostgreSQL's, since there are too many to count. */
  isEstimate: boolean;
}

export interface StatisticsView {
  users: CountView;
  rooms: CountView;
  messages: CountView;
  onlineUsers: number;
  /** Redis could not be asked: only who is connected to this instance is counted. */
  isOnlinePartial: boolean;
  connections: number;
  instances: LiveInstance[];
  messagesPerMinute: number;
  countedAt: string;
}

export interface PeriodView {
  /** When the hour or day began, UTC. */
  at: string;
  messages: number;
  activeUsers: number;
  newUsers: number;
  newRooms: number;
  peakConnections: number;
}

export interface HistoryFilter {
  by: 'hour' | 'day';
  from?: Date | undefined;
  to?: Date | undefined;
}

@Injectable()
export class StatisticsAdminService {
  constructor(
    private readonly sql: Sql,
    private readonly instances: Instances,
    private readonly presence: PresenceStore,
  ) {}

  async now(): Promise<StatisticsView> {
    const [[counts], instances, onlineUsers] = await Promise.all([
      this.sql.query<TableCounts>(COUNT_TABLES, [MAX_COUNTED]),
      this.instances.list(),
      this.#countOnline(),
    ]);
    const { users, rooms, messages, users_estimate, rooms_estimate, messages_estimate, per_minute, counted_at } = counts!;
    return {
      users: countView(users, users_estimate),
      rooms: countView(rooms, rooms_estimate),
      messages: countView(messages, messages_estimate),
      onlineUsers,
      isOnlinePartial: !this.presence.isWhole,
      connections: instances.reduce((sum, { connections }) => sum + connections, 0),
      instances,
      messagesPerMinute: per_minute,
      countedAt: counted_at.toISOString(),
    };
  }

  /** The newest first, none left out since statistics began. */
  async history({ by, from, to }: HistoryFilter, { cursor, limit }: PageRequest): Promise<Page<PeriodView>> {
    const list = new PageCursor('time', 'statistics', JSON.stringify([by, from, to]));
    const [before] = list.read(cursor) ?? [null];
    const statement = by === 'hour' ? HOURLY_HISTORY : DAILY_HISTORY;
    const values = [before === null ? null : new Date(before), from ?? null, to ?? null, limit + 1];
    const rows = await this.sql.query<HistoryRow & Record<string, unknown>>(statement, values);
    return list.page(rows, limit, ({ at }) => [at.getTime()], periodView);
  }

  async #countOnline(): Promise<number> {
    let count = 0;
    for await (const users of this.presence.online()) count += users.length;
    return count;
  }
}

function countView(counted: number, estimate: number): CountView {
  if (counted <= MAX_COUNTED) return { count: counted, isEstimate: false };
  // An estimate of before the last million came says less than the count does.
  return { count: Math.round(Math.max(counted, estimate)), isEstimate: true };
}

function periodView({ at, messages, active_users, new_users, new_rooms, peak_connections }: HistoryRow): PeriodView {
  return {
    at: at.toISOString(),
    messages,
    activeUsers: active_users,
    newUsers: new_users,
    newRooms: new_rooms,
    peakConnections: peak_connections,
  };
}
