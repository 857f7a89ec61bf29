import { Injectable } from '@nestjs/common';
import { Sql, type Statement } from '../database/sql.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';

/** A ban or a mute, of the whole server or of one room. */
export interface SanctionView {
  user: string;
  /** Null: everywhere. */
  room: string | null;
  /** Null for one of a release that did not write it down. */
  by: string | null;
  reason: string | null;
  until: string | null;
  createdAt: string;
  /** False once its time is over. */
  active: boolean;
}

export interface SanctionFilter {
  user?: string | undefined;
  room?: string | undefined;
  active?: boolean | undefined;
}

interface SanctionRow {
  user_id: string;
  room_id: string;
  by_user: string | null;
  reason: string | null;
  until: Date | null;
  created_at: Date;
  active: boolean;
}

/** Stands for the whole server in the lists' order: before every room. */
const EVERYWHERE = '00000000-0000-0000-0000-000000000000';

// One walk over all that there are: rare reads of tables that stay small beside all others.
const list = (users: string, rooms: string) => `SELECT s.*, s.until IS NULL OR s.until > now() AS active
    FROM (${users} UNION ALL SELECT user_id, room_id, by_user, reason, until, created_at FROM ${rooms}) s
    WHERE ($1::text IS NULL OR s.user_id = $1) AND ($2::uuid IS NULL OR s.room_id = $2)
      AND ($3::boolean IS NULL OR (s.until IS NULL OR s.until > now()) = $3)
      AND ($4::text IS NULL OR (s.user_id, s.room_id) > ($4::text COLLATE "C", $5::uuid))
    ORDER BY s.user_id, s.room_id
    LIMIT $6`;

const LISTS = {
  bans: {
    name: 'list_all_bans',
    text: list(
      `SELECT id AS user_id, '${EVERYWHERE}'::uuid AS room_id, banned_by AS by_user, ban_reason AS reason, banned_until AS until,
        banned_at AS created_at FROM users WHERE banned_at IS NOT NULL`,
      'room_bans',
    ),
  },
  mutes: {
    name: 'list_all_mutes',
    text: list(
      `SELECT id AS user_id, '${EVERYWHERE}'::uuid AS room_id, muted_by AS by_user, mute_reason AS reason, muted_until AS until,
        muted_at AS created_at FROM users WHERE muted_at IS NOT NULL`,
      'room_mutes',
    ),
  },
} as const satisfies Record<string, Statement>;

/** Bans and mutes of the server and of its rooms, by user id; those of one user by room, the whole server first. */
@Injectable()
export class SanctionsRepository {
  constructor(private readonly sql: Sql) {}

  async list(kind: keyof typeof LISTS, filter: SanctionFilter, { cursor, limit }: PageRequest): Promise<Page<SanctionView>> {
    const { user = null, room = null, active = null } = filter;
    const pages = new PageCursor('userRoom', kind, JSON.stringify([user, room, active]));
    const [afterUser, afterRoom] = pages.read(cursor) ?? [null, null];
    const rows = await this.sql.query<SanctionRow>(LISTS[kind], [user, room, active, afterUser, afterRoom, limit + 1]);
    return pages.page(rows, limit, (row) => [row.user_id, row.room_id], viewOf);
  }

  /** Whether there is one on the user that holds now, of the whole server. */
  async isOn(kind: keyof typeof LISTS, user: string): Promise<boolean> {
    return (await this.sql.query(LISTS[kind], [user, EVERYWHERE, true, null, null, 1])).length > 0;
  }
}

function viewOf(row: SanctionRow): SanctionView {
  return {
    user: row.user_id,
    room: row.room_id === EVERYWHERE ? null : row.room_id,
    by: row.by_user,
    reason: row.reason,
    until: row.until?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    active: row.active,
  };
}
