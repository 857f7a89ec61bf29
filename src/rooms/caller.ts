import type { AccessFacts } from './room-access.js';

/** An administrator of the server, who acts in any room as an owner would, without being a member. */
export class Administrator {
  constructor(readonly id: string) {}
}

/** Who acts in a room: a user, by his id and with the role that he has there, or an administrator. */
export type Caller = string | Administrator;

/** The `by` of events. */
export function callerId(caller: Caller): string {
  return typeof caller === 'string' ? caller : caller.id;
}

/** The caller's standing as `room-access` asks for it: the one place where an administrator gets his. */
export function standingOf(
  caller: Caller,
  asUser: Pick<AccessFacts, 'role' | 'banned'>,
): Pick<AccessFacts, 'role' | 'banned' | 'administrator'> {
  return typeof caller === 'string' ? asUser : { ...asUser, administrator: true };
}
