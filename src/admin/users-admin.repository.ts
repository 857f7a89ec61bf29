import { Injectable } from '@nestjs/common';
import { liveSessionCount } from '../auth/session-statements.js';
import { beginningWith, Conditions, isSet } from '../database/conditions.js';
import { Sql, type Statement } from '../database/sql.js';
import type { ChosenStatus } from '../protocol/index.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';

export interface UserFilter {
  /** What the id, the username or the name begins with; the names in any case. */
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
  disabledAt: string | null;
}

export interface AdminUserDetail extends AdminUserView {
  status: ChosenStatus;
  disabledBy: string | null;
  disabledReason: string | null;
  /** Tokens issued up to then are void. */
  tokensVoidUntil: string | null;
  roomCount: number;
  /** Logins that are neither ended nor expired. */
  sessionCount: number;
}

interface UserRow {
  id: string;
  username: string | null;
  name: string | null;
  roles: string[];
  created_at: Date;
  last_seen_at: Date | null;
  banned_at: Date | null;
  disabled_at: Date | null;
}

interface DetailRow extends UserRow {
  status: ChosenStatus;
  disabled_by: string | null;
  disabled_reason: string | null;
  tokens_not_before: Date | null;
  room_count: number;
  session_count: number;
}

const USER = `u.id, a.username, u.name, u.roles, u.created_at, u.last_seen_at, u.disabled_at,
  CASE WHEN u.banned_until <= clock_timestamp() THEN NULL ELSE u.banned_at END AS banned_at`;

// Three searches, each by its index.
const BEGINS = `u.id IN (
  SELECT x.id FROM users x WHERE x.id LIKE ? UNION SELECT x.id FROM users x WHERE lower(x.name) LIKE lower(?)
  UNION SELECT x.user_id FROM accounts x WHERE lower(x.username) LIKE lower(?))`;

const USER_DETAIL: Statement = {
  name: 'admin_user',
  text: `SELECT ${USER}, u.status, u.disabled_by, u.disabled_reason, u.tokens_not_before,
      (SELECT count(*)::integer FROM memberships m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = u.id AND r.deleted_at IS NULL) AS room_count,
      ${liveSessionCount('u.id')} AS session_count
    FROM users u LEFT JOIN accounts a ON a.user_id = u.id WHERE u.id = $1`,
};

/** The first users by id behind `after`. */
export function usersFound({ q, role, disabled }: UserFilter, after: string | null, limit: number): { text: string; values: unknown[] } {
  const conditions = new Conditions()
    .add('u.id > ?', after)
    .add(BEGINS, q === undefined ? undefined : beginningWith(q))
    .add(`u.roles <> '{}' AND ? = ANY (u.roles)`, role)
    .also(isSet('u.disabled_at', disabled));
  const text = `SELECT ${USER} FROM users u LEFT JOIN accounts a ON a.user_id = u.id ${conditions.where}
    ORDER BY u.id LIMIT ${conditions.parameter(limit)}`;
  return { text, values: conditions.values };
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
      disabledBy: row.disabled_by,
      disabledReason: row.disabled_reason,
      tokensVoidUntil: timeOf(row.tokens_not_before),
      roomCount: row.room_count,
      sessionCount: row.session_count,
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
    disabledAt: timeOf(row.disabled_at),
  };
}

function timeOf(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
