import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, MoreThan, Repository } from 'typeorm';
import { Config } from '../config/config.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { roomFull } from '../log/refusal-words.js';
import { RoomLog } from '../log/room-log.js';
import { LIMITS, type Role } from '../protocol/index.js';
import { RoomAccess } from './access.service.js';
import { type Caller, callerId } from './caller.js';
import { MembershipEntity, type MemberView, memberView } from './membership.entity.js';
import { addMember, findMute, isBanned, removeMember, requireUnderLock, targetFacts } from './membership-changes.js';
import { type Page, PageCursor } from './page-cursor.js';
import { removalOf } from './room-access.js';
import { RoomBanEntity, RoomMuteEntity } from './room-sanction.entity.js';
import { banUnderLock, muteUnderLock, type RoomSanctionOrder, type RoomSanctionView, sanctionView } from './room-sanctions.js';
import { assertRoomForUsers } from './rooms-per-user.js';
import type { PageRequest } from './rooms.repository.js';

export interface Removal {
  /** Goes into the event. */
  reason?: string | undefined;
  /** Judges as the act is judged, and does nothing. */
  dryRun?: boolean | undefined;
}

/** What owners, moderators and administrators do about the users of a room. Acts and errors are as in `RoomsService`. */
@Injectable()
export class MembersService {
  constructor(
    private readonly config: Config,
    private readonly sql: Sql,
    private readonly log: RoomLog,
    private readonly access: RoomAccess,
    @InjectRepository(MembershipEntity) private readonly memberships: Repository<MembershipEntity>,
    @InjectRepository(RoomBanEntity) private readonly roomBans: Repository<RoomBanEntity>,
    @InjectRepository(RoomMuteEntity) private readonly roomMutes: Repository<RoomMuteEntity>,
  ) {}

  /** By user id. */
  async list(caller: Caller, room: string, { cursor, limit }: PageRequest): Promise<Page<MemberView>> {
    const { room: accessed } = await this.access.require(caller, room, 'room.read');
    const list = new PageCursor('user', 'members', accessed.id);
    const rows = await this.sql.translated(() => this.memberships.find(pageAfter(accessed.id, list.read(cursor), limit)));
    return list.page(rows, limit, (row) => [row.userId], memberView);
  }

  /** Adds a member, who may be a user never seen here, or gives one another role. Without a change there is no event. */
  set(caller: Caller, room: string, user: string, role: Role): Promise<MemberView> {
    return this.log.transact(room, async (tx) => {
      const { member, target } = await targetFacts(tx, caller, user, role);
      await requireUnderLock(tx, caller, 'member.set', target);
      if (!member) {
        const { roomMembersMax, roomsPerUser } = this.config;
        if (tx.room.memberCount >= roomMembersMax) throw new ChatError('conflict', roomFull(roomMembersMax));
        await assertRoomForUsers(tx.manager, [user], roomsPerUser);
        return memberView(await addMember(tx, user, role, callerId(caller)));
      }
      if (member.role !== role) {
        await tx.manager.update(MembershipEntity, { roomId: tx.room.id, userId: user }, { role });
        tx.record('member.updated', { user, data: { user, role, by: callerId(caller) } });
      }
      return memberView({ ...member, role });
    });
  }

  /** Ends the member's access at this place of the log. Removing oneself is leaving. @returns the member as he was; null for who is none */
  remove(caller: Caller, room: string, user: string, { reason, dryRun = false }: Removal = {}): Promise<MemberView | null> {
    return this.log.transact(room, async (tx) => {
      const { member, target } = await targetFacts(tx, caller, user, null);
      await requireUnderLock(tx, caller, removalOf(target), target);
      if (!member) return null;
      const silent = target.self && tx.room.memberCount > LIMITS.largeRoom;
      if (!dryRun) await removeMember(tx, member, { ends: target.self ? 'left' : 'kicked', by: callerId(caller), reason, silent });
      return memberView(member);
    });
  }

  /** Bans or mutes, by user id; without those whose time is over. */
  async listSanctions(kind: 'ban' | 'mute', caller: string, room: string, { cursor, limit }: PageRequest): Promise<Page<RoomSanctionView>> {
    const { room: accessed } = await this.access.require(caller, room, `${kind}.list`);
    const list = new PageCursor('user', `${kind}s`, accessed.id);
    const sanctions = kind === 'ban' ? this.roomBans : this.roomMutes;
    const rows = await this.sql.translated(() => sanctions.find(sanctionsAfter(accessed.id, list.read(cursor), limit)));
    return list.page(rows, limit, (row) => [row.userId], sanctionView);
  }

  /** Keeps a user out, and ends what access he has. Banning again replaces reason and end. */
  ban(caller: Caller, room: string, user: string, order: RoomSanctionOrder = {}): Promise<RoomSanctionView> {
    return this.log.transact(room, (tx) => banUnderLock(tx, caller, user, order));
  }

  /** Lets a user read on, and say nothing, whether he is a member now or later. Muting again replaces reason and end. */
  mute(caller: Caller, room: string, user: string, order: RoomSanctionOrder = {}): Promise<RoomSanctionView> {
    return this.log.transact(room, (tx) => muteUnderLock(tx, caller, user, order));
  }

  /** Lifts a ban or a mute. @returns whether there was one: none is no error */
  lift(kind: 'ban' | 'mute', caller: Caller, room: string, user: string, { dryRun = false } = {}): Promise<boolean> {
    return this.log.transact(room, async (tx) => {
      await requireUnderLock(tx, caller, `${kind}.lift`);
      const isOn = kind === 'ban' ? await isBanned(tx, user) : (await findMute(tx, user)) !== null;
      // One whose time is over goes too.
      const key = { roomId: tx.room.id, userId: user };
      if (!dryRun) await tx.manager.delete(kind === 'ban' ? RoomBanEntity : RoomMuteEntity, key);
      return isOn;
    });
  }
}

function pageAfter(roomId: string, key: [string] | null, limit: number) {
  return { where: { roomId, ...(key && { userId: MoreThan(key[0]) }) }, order: { userId: 'ASC' as const }, take: limit + 1 };
}

function sanctionsAfter(roomId: string, key: [string] | null, limit: number) {
  const { where, ...page } = pageAfter(roomId, key, limit);
  return {
    ...page,
    where: [
      { ...where, until: IsNull() },
      { ...where, until: MoreThan(new Date()) },
    ],
  };
}
