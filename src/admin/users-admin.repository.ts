import { Injectable } from '@nestjs/common';
import { liveKeyCount } from '../auth/api-key-statements.js';
import { liveSessionCount } from '../auth/session-statements.js';
import { Conditions, containing, isSet } from '../database/conditions.js';
import { Sql, type Statement } from '../database/sql.js';
import type { ChosenStatus } from '../protocol/index.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';

export interface UserFilter {
  /** A part of the id, of the username or of the name; of the names in any case. */
  q?: string | undefined;
  /** A stored role. */
  role?: string | undefined;
  disabled?: boolean | undefined;
}

/** A user as administrators see him. */
export interface AdminUserView {
  id: string;
  username: string | null;
  name: string | null;
  roles: string[];
  createdAt: string;
  lastSeenAt: string | null;
  bannedAt: string | null;
  mutedAt: string | null;
  disabledAt: string | null;
}

export interface AdminUserDetail extends AdminUserView {
  status: ChosenStatus;
  /** Of the whole server, and on now. */
  ban: SanctionDetail | null;
  mute: SanctionDetail | null;
  disabledBy: string | null;
  disabledReason: string | null;
  /** Tokens issued up to then are void. */
  tokensVoidUntil: string | null;
  roomCount: number;
  /** Logins that are neither ended nor expired. */
  sessionCount: number;
  /** Live API keys that he made, and those that they made. */
  apiKeyCount: number;
}

/** A ban or a mute that is on. */
export interface SanctionDetail {
  /** Null for one of a release that did not write it down. */
  by: string | null;
  reason: string | null;
  until: string | null;
  createdAt: string;
}

interface UserRow {
  id: string;
  username: string | null;
  name: string | null;
  roles: string[];
  created_at: Date;
  last_seen_at: Date | null;
  banned_at: Date | null;
  muted_at: Date | null;
  disabled_at: Date | null;
}

interface DetailRow extends UserRow {
  status: ChosenStatus;
  banned_by: string | null;
  ban_reason: string | null;
  banned_until: Date | null;
  muted_by: string | null;
  mute_reason: string | null;
  muted_until: Date | null;
  disabled_by: string | null;
  disabled_reason: string | null;
  tokens_not_before: Date | null;
  room_count: number;
  session_count: number;
  api_key_count: number;
}

const onNow = (done: string) => `CASE WHEN u.${done}_until <= clock_timestamp() THEN NULL ELSE u.${done}_at END AS ${done}_at`;

const USER = `u.id, a.username, u.name, u.roles, u.created_at, u.last_seen_at, u.disabled_at, ${onNow('banned')}, ${onNow('muted')}`;

const SEARCHED = ['u.id LIKE ?', 'u.name ILIKE ?', 'a.username ILIKE ?'];

const USER_DETAIL: Statement = {
  name: 'admin_user_v2',
  text: `SELECT ${USER}, u.status, u.banned_by, u.ban_reason, u.banned_until, u.muted_by, u.mute_reason, u.muted_until, u.disabled_by, u.disabled_reason, u.tokens_not_before,
      (SELECT count(*)::integer FROM memberships m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = u.id AND r.deleted_at IS NULL) AS room_count,
      ${liveSessionCount('u.id')} AS session_count, ${liveKeyCount('u.id')} AS api_key_count
    FROM users u LEFT JOIN accounts a ON a.user_id = u.id WHERE u.id = $1`,
};

/**
 * The first users by id behind `after`. A search is one for each column, of which each stops at the page's end: what is found often ends
 * soon by the key, and what is rare goes by the column's index, where somebody has made one.
 */
export function usersFound({ q, role, disabled }: UserFilter, after: string | null, limit: number): { text: string; values: unknown[] } {
  const conditions = new Conditions()
    .add('u.id > ?', after)
    .add(`u.roles <> '{}' AND ? = ANY (u.roles)`, role)
    .also(isSet('u.disabled_at', disabled));
  const end = `ORDER BY u.id LIMIT ${conditions.parameter(limit)}`;
  const select = (columns: string, where: string) =>
    `SELECT ${columns} FROM users u LEFT JOIN accounts a ON a.user_id = u.id ${where} ${end}`;
  if (q === undefined) return { text: select(USER, conditions.where), values: conditions.values };
  const part = conditions.parameter(containing(q));
  const searches = SEARCHED.map((condition) => `(${select('u.id', conditions.whereAlso(condition.replace('?', part)))})`);
  return { text: select(USER, `WHERE u.id IN (${searches.join(' UNION ')})`), values: conditions.values };
}

/** What administrators read of users. */
@Injectable()
export class UsersAdminRepository {
  constructor(private readonly sql: Sql) {}

  /** By id. */
  async list({ q, role, disabled }: UserFilter, { cursor, limit }: PageRequest): Promise<Page<AdminUserView>> {
    const list = new PageCursor('user', 'admin-users', JSON.stringify([q, role, disabled]));
    const [after] = list.read(cursor) ?? [null];
    const { text, values } = usersFound({ q, role, disabled }, after, limit + 1);
    const rows = await this.sql.query<UserRow>({ text }, values);
    return list.page(rows, limit, ({ id }) => [id], viewOf);
  }

  /** Null for a user whom the server has never seen. */
  async find(user: string): Promise<AdminUserDetail | null> {
    const [row] = await this.sql.query<DetailRow>(USER_DETAIL, [user]);
    if (!row) return null;
    return {
      ...viewOf(row),
      status: row.status,
      ban: row.banned_at && sanctionDetail(row.banned_at, row.banned_by, row.ban_reason, row.banned_until),
      mute: row.muted_at && sanctionDetail(row.muted_at, row.muted_by, row.mute_reason, row.muted_until),
      disabledBy: row.disabled_by,
      disabledReason: row.disabled_reason,
      tokensVoidUntil: timeOf(row.tokens_not_before),
      roomCount: row.room_count,
      sessionCount: row.session_count,
      apiKeyCount: row.api_key_count,
    };
  }
}

function viewOf(row: UserRow): AdminUserView {
  const { id, username, name, roles } = row;
  return {
    ...{ id, username, name, roles },
    createdAt: row.created_at.toISOString(),
    lastSeenAt: timeOf(row.last_seen_at),
    bannedAt: timeOf(row.banned_at),
    mutedAt: timeOf(row.muted_at),
    disabledAt: timeOf(row.disabled_at),
  };
}

function sanctionDetail(at: Date, by: string | null, reason: string | null, until: Date | null): SanctionDetail {
  return { by, reason, until: timeOf(until), createdAt: at.toISOString() };
}

function timeOf(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
