import type { EntityManager } from 'typeorm';
import { APPEND_AUDIT, storedEntry } from '../audit/append-statement.js';
import type { AuditActor } from '../audit/audit-entry.js';
import { holdUser } from './administrators.js';
import { SET_ROLES } from './revocation-statements.js';
import { isBanned } from './sanction-statements.js';
import { ADMIN_ROLE } from './scopes.js';
import { FIND_ACCOUNT } from './session-statements.js';

/** Why somebody was not made an administrator, for the operator. */
export class NotGranted extends Error {
  override readonly name = 'NotGranted';
}

interface Standing {
  roles: string[];
  disabled: boolean;
  banned: boolean;
}

const STANDING = `SELECT u.roles, u.disabled_at IS NOT NULL AS disabled, ${isBanned('u')} AS banned FROM users u WHERE u.id = $1`;

/**
 * Gives the role `admin` to the user with this account, as an administrator would: his access tokens are void, and his logins go on. The act
 * and its row in the audit log are committed with the caller's transaction; every instance hears of it from the changes, within two seconds.
 * @returns false when he had the role; then nothing is done
 * @throws {NotGranted} when there is no such account, or its user could not log in as an administrator
 */
export async function grantAdministrator(manager: EntityManager, username: string, operator: string | null): Promise<boolean> {
  const [account] = await manager.query<{ user_id: string }[]>(FIND_ACCOUNT.text, [username]);
  if (!account) throw new NotGranted(`There is no account with the username "${username}": register it first.`);
  const user = account.user_id;
  await holdUser(manager, user, {});
  const [standing] = await manager.query<Standing[]>(STANDING, [user]);
  const { roles, disabled, banned } = standing!;
  if (disabled || banned)
    throw new NotGranted(`"${username}" is ${disabled ? 'disabled' : 'banned'}, and could not log in: choose another.`);
  if (roles.includes(ADMIN_ROLE)) return false;
  const all = [...roles, ADMIN_ROLE];
  await manager.query(SET_ROLES.text, [user, all]);
  const actor: AuditActor = { kind: 'operator', id: operator };
  const entry = {
    action: 'user.roles',
    outcome: 'ok',
    actor,
    target: { user },
    address: null,
    requestId: null,
    details: { roles: all },
  } as const;
  await manager.query(APPEND_AUDIT.text, [`[${storedEntry(entry)}]`]);
  return true;
}
