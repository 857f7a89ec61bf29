import type { LogTransaction } from '../log/room-log.js';
import { type Caller, callerId } from './caller.js';
import { removeMember, requireUnderLock, targetFacts } from './membership-changes.js';
import { RoomBanEntity, RoomMuteEntity } from './room-sanction.entity.js';

/** A ban or a mute in a room, as its moderators see it. */
export interface RoomSanctionView {
  user: string;
  by: string;
  reason: string | null;
  /** When it ends by itself; null: not before it is lifted. */
  until: string | null;
  createdAt: string;
}

export interface RoomSanctionOrder {
  reason?: string | undefined;
  /** When it ends by itself; without it, not before it is lifted. */
  until?: Date | undefined;
}

export function sanctionView({ userId, byUser, reason, until, createdAt }: Omit<RoomBanEntity, 'roomId'>): RoomSanctionView {
  return { user: userId, by: byUser, reason, until: until?.toISOString() ?? null, createdAt: createdAt.toISOString() };
}

/** Keeps a user out, and ends what access he has. Banning again replaces reason and end. @throws {ChatError} as `room-access` has it for `ban.set` */
export async function banUnderLock(tx: LogTransaction, caller: Caller, user: string, order: RoomSanctionOrder): Promise<RoomSanctionView> {
  const { member, target } = await targetFacts(tx, caller, user, null);
  await requireUnderLock(tx, caller, 'ban.set', target);
  const by = callerId(caller);
  const room = tx.room.id;
  if (member) await removeMember(tx, member, { ends: 'banned', by, reason: order.reason });
  // He may be reading as a non-member: always told, since an earlier telling may have been lost. Of other rooms he does not know.
  else if (tx.room.type === 'public') tx.announce({ kind: 'access.ended', room, user, reason: 'banned', atSeq: tx.room.lastSeq });
  return keep(tx, RoomBanEntity, by, user, order);
}

/** Lets a user read on, and say nothing. Muting again replaces reason and end. @throws {ChatError} as `room-access` has it for `mute.set` */
export async function muteUnderLock(tx: LogTransaction, caller: Caller, user: string, order: RoomSanctionOrder): Promise<RoomSanctionView> {
  const { target } = await targetFacts(tx, caller, user, null);
  await requireUnderLock(tx, caller, 'mute.set', target);
  return keep(tx, RoomMuteEntity, callerId(caller), user, order);
}

/** Lifts the ban or the mute that `by` set for this reason; one that was set anew since is another, and stays. */
export async function liftUnderLock(
  tx: LogTransaction,
  kind: 'ban' | 'mute',
  userId: string,
  { by: byUser, reason }: { by: string; reason: string },
): Promise<void> {
  await tx.manager.delete(kind === 'ban' ? RoomBanEntity : RoomMuteEntity, { roomId: tx.room.id, userId, byUser, reason });
}

type Kind = typeof RoomBanEntity | typeof RoomMuteEntity;

async function keep(
  tx: LogTransaction,
  kind: Kind,
  byUser: string,
  userId: string,
  { reason = null, until = null }: { reason?: string | null | undefined; until?: Date | null | undefined },
): Promise<RoomSanctionView> {
  const roomId = tx.room.id;
  const old = await tx.manager.findOneBy(kind, { roomId, userId });
  // One whose time is over was another.
  const goesOn = old !== null && (old.until === null || old.until > tx.at);
  const sanction = { roomId, userId, byUser, reason, until, createdAt: goesOn ? old.createdAt : tx.at };
  await tx.manager.upsert(kind, sanction, ['roomId', 'userId']);
  return sanctionView(sanction);
}
