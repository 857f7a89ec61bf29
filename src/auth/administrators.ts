import type { EntityManager } from 'typeorm';
import { ChatError } from '../errors/chat-error.js';
import type { Principal } from './principal.js';
import { isBanned } from './sanction-statements.js';
import { ADMIN_ROLE } from './scopes.js';

/**
 * Who is an administrator of this server: who has the role `admin` stored, and whom a token of the last 30 days brought it from elsewhere.
 * The former can act while he has an account to log in with, and is neither disabled nor banned; with `LOCAL_ACCOUNTS` off nobody logs in
 * here. That one of the latter is left is for those to see to who sign his tokens.
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

/** A condition: the user is an administrator. @param user the alias of his row */
export const isAdministrator = (user: string): string =>
  `('${ADMIN_ROLE}' = ANY (${user}.roles) OR coalesce(${user}.administrator_seen_at > clock_timestamp() - interval '30 days', false))`;

/**
 * Whether the token makes its user an administrator, which nothing stored does: one of a login says what is stored, and what an API key
 * signs makes nobody one.
 */
export function bringsOffice({ roles, sessionId, fromKey }: Pick<Principal, 'roles' | 'sessionId' | 'fromKey'>): boolean {
  return sessionId === null && fromKey === undefined && roles.includes(ADMIN_ROLE);
}

// Of acts that end an administrator's office only one is under way, so that whether others are left does not change before it is committed.
// Locks are taken in this order: a report's or a room's, the user's row, this one. Who has it waits for nothing any more, so that none wait
// for each other in a circle; and who waits for a row holds up nobody else's.
const LOCK = `SELECT pg_advisory_xact_lock(hashtext('parley administrators'))`;

const CAN_ACT = (user: string) => `${user}.roles <> '{}' AND '${ADMIN_ROLE}' = ANY (${user}.roles) AND ${user}.disabled_at IS NULL
  AND NOT ${isBanned(user)} AND EXISTS (SELECT FROM accounts a WHERE a.user_id = ${user}.id)`;

const HOLD = `SELECT ${isAdministrator('u')} AS is_administrator, ${CAN_ACT('u')} AS can_act FROM users u WHERE u.id = $1 FOR NO KEY UPDATE`;

interface HeldUser {
  is_administrator: boolean;
  can_act: boolean;
}

/** Asked under LOCK, by a statement of its own: it sees what was committed before the lock was had. */
const HAS_OTHERS = `SELECT EXISTS (SELECT FROM users o WHERE o.id <> $1 AND ${CAN_ACT('o')}) AS has_others`;

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
  const [row] = await manager.query<HeldUser[]>(HOLD, [user]);
  // Who is banned before he was ever seen is no administrator: accounts have ids that nobody knows before.
  if (!row) return false;
  if (row.is_administrator && isByKey(by)) {
    throw new ChatError('forbidden', 'What is done to administrators is done by administrators, not by API keys or tokens of theirs.');
  }
  if (!endsOffice || !row.can_act) return true;
  await manager.query(LOCK);
  const [left] = await manager.query<{ has_others: boolean }[]>(HAS_OTHERS, [user]);
  if (left!.has_others) return true;
  throw new ChatError('conflict', 'The server needs an administrator who can log in: make another user one first.');
}
