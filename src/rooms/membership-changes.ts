import { IsNull, MoreThan } from 'typeorm';
import type { Mute } from '../auth/sanctions.js';
import type { LogTransaction } from '../log/room-log.js';
import { RoomEntity } from '../log/room.entity.js';
import { type ClosedReason, isGuest, type Role } from '../protocol/index.js';
import { MembershipEntity } from './membership.entity.js';
import { type Caller, callerId, standingOf } from './caller.js';
import { type AccessFacts, isSpeech, refusal, type RoomAction, type TargetFacts } from './room-access.js';
import { RoomBanEntity, RoomMuteEntity } from './room-sanction.entity.js';

/** Steps of an act on a room's members. All run under the room's lock, so that what they read stays so until the commit. */

export function findMember({ manager, room }: LogTransaction, user: string): Promise<MembershipEntity | null> {
  return manager.findOneBy(MembershipEntity, { roomId: room.id, userId: user });
}

export function isBanned({ manager, room, at }: LogTransaction, user: string): Promise<boolean> {
  return manager.existsBy(RoomBanEntity, isOn(room.id, user, at));
}

/** The user's mute in the room; one whose time is over is none. */
export async function findMute({ manager, room, at }: LogTransaction, user: string): Promise<RoomMuteEntity | null> {
  return manager.findOneBy(RoomMuteEntity, isOn(room.id, user, at));
}

function isOn(roomId: string, userId: string, at: Date) {
  return [
    { roomId, userId, until: IsNull() },
    { roomId, userId, until: MoreThan(at) },
  ];
}

/**
 * @param serverMuted the caller's mute on the whole server, for what says something
 * @throws {ChatError} when the caller may not do this; the room is never another's
 */
export async function requireUnderLock(
  tx: LogTransaction,
  caller: Caller,
  action: RoomAction,
  target?: TargetFacts,
  serverMuted: Mute | null = null,
): Promise<void> {
  const facts = await factsUnderLock(tx, caller, action);
  const refused = refusal(action, { ...facts, serverMuted, ...(target && { target }) });
  if (refused) throw refused;
}

/** The caller's standing in the room; his mute only where the act says something. */
export async function factsUnderLock(tx: LogTransaction, caller: Caller, action: RoomAction): Promise<AccessFacts> {
  const { type, archivedAt } = tx.room;
  const user = callerId(caller);
  const role = (await findMember(tx, user))?.role ?? null;
  const banned = role === null && (await isBanned(tx, user));
  const muted = role !== null && isSpeech(action) ? await findMute(tx, user) : null;
  return { room: { type, archived: archivedAt !== null }, muted, ...standingOf(caller, { role, banned }) };
}

/** What `room-access` asks of the member whom an act is about; `newRole` is null when he is to go. */
export async function targetFacts(
  tx: LogTransaction,
  caller: Caller,
  user: string,
  newRole: Role | null,
): Promise<{ member: MembershipEntity | null; target: TargetFacts }> {
  const member = await findMember(tx, user);
  const target: TargetFacts = { role: member?.role ?? null, self: user === callerId(caller) };
  if (newRole) target.newRole = newRole;
  if (isGuest(user)) target.guest = true;
  if (member === null) target.banned = await isBanned(tx, user);
  if (member?.role === 'owner' && newRole !== 'owner') {
    target.lastOwner = (await tx.manager.countBy(MembershipEntity, { roomId: tx.room.id, role: 'owner' })) === 1;
  }
  return { member, target };
}

/** Adds a member by an event, as one who has read everything, and tells his connections. */
export async function addMember(tx: LogTransaction, user: string, role: Role, by: string): Promise<MembershipEntity> {
  const readSeq = tx.record('member.joined', { user, data: { user, role, by } });
  const member = { roomId: tx.room.id, userId: user, role, readSeq, joinedAt: tx.at };
  await tx.manager.insert(MembershipEntity, member);
  await countMembers(tx, 1);
  tx.announce({ kind: 'room.added', users: [user], room: tx.room.id, role });
  return member;
}

export interface Departure {
  ends: Extract<ClosedReason, 'left' | 'kicked' | 'banned'>;
  by: string;
  reason?: string | undefined;
  /** Without an event: his access ends at the log's head. */
  silent?: boolean;
}

export async function removeMember(tx: LogTransaction, member: MembershipEntity, { ends, by, reason, silent }: Departure): Promise<void> {
  const { userId: user, role } = member;
  await tx.manager.delete(MembershipEntity, { roomId: tx.room.id, userId: user });
  await countMembers(tx, -1);
  if (silent) tx.announce({ kind: 'access.ended', room: tx.room.id, user, reason: ends, atSeq: tx.room.lastSeq });
  else tx.record('member.left', { user, ends, data: { user, role, by, ...(reason !== undefined && { reason }) } });
}

async function countMembers({ manager, room }: LogTransaction, change: 1 | -1): Promise<void> {
  room.memberCount += change;
  await manager.update(RoomEntity, { id: room.id }, { memberCount: room.memberCount });
}
