import type { EntityManager } from 'typeorm';
import { ChatError } from '../errors/chat-error.js';
import { isBanned } from './sanction-statements.js';
import { ADMIN_ROLE } from './scopes.js';

/**
 * Who is an administrator of this server: who has the role `admin` stored. He can act while he has an account to log in with, and is neither
 * disabled nor banned; with `LOCAL_ACCOUNTS` off nobody logs in here. Whom tokens from elsewhere make an administrator is theirs to keep: the
 * server does not know him by his id.
 */

/** Who does something to a user: a principal. */
export interface Actor {
  readonly userId: string;
  /** Only of an API key. */
  readonly key?: unknown;
  /** Only of what an API key got for somebody: what he does by it is an act of the key, which may have put itself in his place. */
  readonly fromKey?: unknown;
}

/** Whether an API key does it, by itself or by a token that it minted, for whomever. */
export function isByKey(by: Actor | null | undefined): boolean {
  return by != null && (by.key !== undefined || by.fromKey !== undefined);
}

// A lock of its own, and not of rows: whether others are left must not change before the act is committed.
const LOCK = `SELECT pg_advisory_xact_lock(hashtext('parley administrators'))`;

const CAN_ACT = (user: string) => `${user}.roles <> '{}' AND '${ADMIN_ROLE}' = ANY (${user}.roles) AND ${user}.disabled_at IS NULL
  AND NOT ${isBanned(user)} AND EXISTS (SELECT FROM accounts a WHERE a.user_id = ${user}.id)`;

const FIND = `SELECT '${ADMIN_ROLE}' = ANY (u.roles) AS is_administrator,
    ${CAN_ACT('u')} AND NOT EXISTS (SELECT FROM users o WHERE o.id <> u.id AND ${CAN_ACT('o')}) AS is_last
  FROM users u WHERE u.id = $1 FOR NO KEY UPDATE`;

interface Row {
  is_administrator: boolean;
  is_last: boolean;
}

export interface IntendedAct {
  /** Without it the server does it by itself, or the user to himself. */
  by?: Actor | null | undefined;
  /** Nobody does this to himself. */
  onOthers?: boolean;
  /** He could not log in as an administrator afterwards; where nobody can, no act is one. */
  endsOffice?: boolean;
}

/**
 * Holds a user as he is until the caller's transaction ends, and refuses what would leave the server without an administrator, or what an
 * API key would do to one. Of several such acts at once each sees what the others did.
 * @returns whether the server knows the user
 * @throws {ChatError} forbidden, conflict
 */
export async function holdUser(
  manager: EntityManager,
  user: string,
  { by, onOthers = false, endsOffice = false }: IntendedAct,
): Promise<boolean> {
  if (onOthers && by?.userId === user) throw new ChatError('conflict', 'You cannot do this to yourself.');
  await manager.query(LOCK);
  const [row] = await manager.query<Row[]>(FIND, [user]);
  if (!row) return false;
  if (row.is_administrator && isByKey(by)) {
    throw new ChatError('forbidden', 'What is done to administrators is done by administrators, not by API keys or tokens of theirs.');
  }
  if (row.is_last && endsOffice) {
    throw new ChatError('conflict', 'The server needs an administrator who can log in: make another user one first.');
  }
  return true;
}
