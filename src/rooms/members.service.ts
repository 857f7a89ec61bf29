import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { MoreThan, Repository } from 'typeorm';
import { Config } from '../config/config.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { RoomLog } from '../log/room-log.js';
import { LIMITS, type Role } from '../protocol/index.js';
import { RoomAccess } from './access.service.js';
import { type Caller, callerId } from './caller.js';
import { MembershipEntity, type MemberView, memberView } from './membership.entity.js';
import { addMember, removeMember, requireUnderLock, targetFacts } from './membership-changes.js';
import { type Page, PageCursor } from './page-cursor.js';
import { type BanView, banView, RoomBanEntity } from './room-ban.entity.js';
import { assertRoomForUsers } from './rooms-per-user.js';
import type { PageRequest } from './rooms.repository.js';

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
        if (tx.room.memberCount >= roomMembersMax) throw new ChatError('conflict', `The room has its ${roomMembersMax} members already.`);
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

  /** Ends the member's access at this place of the log. Removing oneself is leaving. @returns the member as he was */
  remove(caller: Caller, room: string, user: string, reason?: string): Promise<MemberView> {
    return this.log.transact(room, async (tx) => {
      const { member, target } = await targetFacts(tx, caller, user, null);
      await requireUnderLock(tx, caller, target.self ? 'room.leave' : 'member.remove', target);
      if (!member) throw new ChatError('not_found', 'The user is not a member of this room.');
      const silent = target.self && tx.room.memberCount > LIMITS.largeRoom;
      await removeMember(tx, member, { ends: target.self ? 'left' : 'kicked', by: callerId(caller), reason, silent });
      return memberView(member);
    });
  }

  /** By user id. */
  async listBans(caller: string, room: string, { cursor, limit }: PageRequest): Promise<Page<BanView>> {
    const { room: accessed } = await this.access.require(caller, room, 'ban.list');
    const list = new PageCursor('user', 'bans', accessed.id);
    const rows = await this.sql.translated(() => this.roomBans.find(pageAfter(accessed.id, list.read(cursor), limit)));
    return list.page(rows, limit, (row) => [row.userId], banView);
  }

  /** Keeps a user out, and ends what access he has. Banning again replaces the reason. */
  ban(caller: string, room: string, user: string, reason?: string): Promise<BanView> {
    return this.log.transact(room, async (tx) => {
      const { member, target } = await targetFacts(tx, caller, user, null);
      await requireUnderLock(tx, caller, 'ban.set', target);
      if (member) await removeMember(tx, member, { ends: 'banned', by: caller, reason });
      // He may be reading as a non-member: always told, since an earlier telling may have been lost. Of other rooms he does not know.
      else if (tx.room.type === 'public') tx.announce({ kind: 'access.ended', room, user, reason: 'banned', atSeq: tx.room.lastSeq });
      const roomId = tx.room.id;
      const old = await tx.manager.findOneBy(RoomBanEntity, { roomId, userId: user });
      const ban = { roomId, userId: user, byUser: caller, reason: reason ?? null, createdAt: old?.createdAt ?? tx.at };
      await tx.manager.upsert(RoomBanEntity, ban, ['roomId', 'userId']);
      return banView(ban);
    });
  }

  /** No error when there is no ban. */
  unban(caller: string, room: string, user: string): Promise<void> {
    return this.log.transact(room, async (tx) => {
      await requireUnderLock(tx, caller, 'ban.lift');
      await tx.manager.delete(RoomBanEntity, { roomId: tx.room.id, userId: user });
    });
  }
}

function pageAfter(roomId: string, key: [string] | null, limit: number) {
  return { where: { roomId, ...(key && { userId: MoreThan(key[0]) }) }, order: { userId: 'ASC' as const }, take: limit + 1 };
}
