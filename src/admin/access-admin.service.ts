import { Injectable } from '@nestjs/common';
import { Mutes } from '../auth/mutes.js';
import { bannedUser, disabledUser, Revocations } from '../auth/revocations.js';
import { Config } from '../config/config.js';
import { Sql, type Statement } from '../database/sql.js';
import { roomNotFound } from '../errors/chat-error.js';
import { isGuest, type Role, type RoomType } from '../protocol/index.js';
import { RoomAccess, type Standing } from '../rooms/access.service.js';
import {
  type AccessFacts,
  explain,
  type Explanation,
  type FullFacts,
  type RefusalReason,
  removalOf,
  type RoomAction,
  type Rule,
  type TargetFacts,
  type Verdict,
} from '../rooms/room-access.js';

/** Why a user who may do nothing on this server may not do this. */
const OF_SERVER = {
  banned: { reason: 'serverBanned', words: bannedUser().message },
  disabled: { reason: 'serverDisabled', words: disabledUser().message },
} as const;

export type AccessReason = RefusalReason | (typeof OF_SERVER)[keyof typeof OF_SERVER]['reason'];

export interface AccessQuestion {
  user: string;
  room: string;
  action: RoomAction;
  /** Whom an act on a member is about. */
  target?: string | undefined;
  /** With `member.set`: the role that he is to have. */
  role?: Role | undefined;
}

export interface Judgement {
  allowed: boolean;
  verdict: Verdict;
  reason: AccessReason | null;
  words: string | null;
}

export interface ExplainedAccess extends Judgement {
  action: RoomAction;
  rule: Rule;
  /** What he would be told under `/v1/admin`, as an administrator; null where no route of administration does this. */
  asAdministrator: Judgement | null;
  facts: {
    type: RoomType;
    archived: boolean;
    role: Role | null;
    roomBanned: boolean;
    serverBanned: boolean;
    serverDisabled: boolean;
    roomMuted: boolean;
    serverMuted: boolean;
  };
}

/** What a route of administration does in the rooms of others, by the rules of rooms. */
const ADMINISTERED: readonly RoomAction[] = [
  'room.read',
  'room.update',
  'room.archive',
  'room.unarchive',
  'room.delete',
  'member.set',
  'member.remove',
  'ban.set',
  'ban.lift',
  'mute.set',
  'mute.lift',
];

const ABOUT_A_MEMBER: readonly RoomAction[] = ['member.set', 'member.remove', 'ban.set', 'mute.set', 'report.resolve'];

/** $1 room, $2 user, $3 up to how many of his rooms are counted */
const COUNTS: Statement = {
  name: 'access_counts',
  text: `SELECT (SELECT count(*)::integer FROM memberships WHERE room_id = $1 AND role = 'owner') AS owners, user_room_count_v1($2, $3) AS rooms`,
};

interface CountsRow {
  owners: number;
  rooms: number;
}

/**
 * Says who may do what, by the very function that decides it, and by facts that are read as those who ask it read them. Only the caps are
 * decided elsewhere, under the locks of those who count: here they are counted as well, without a lock, in the same order.
 */
@Injectable()
export class AccessAdminService {
  constructor(
    private readonly access: RoomAccess,
    private readonly revocations: Revocations,
    private readonly mutes: Mutes,
    private readonly config: Config,
    private readonly sql: Sql,
  ) {}

  /** @throws {ChatError} not_found when there is no such room */
  async explain({ user, room, action: asked, target: named, role }: AccessQuestion): Promise<ExplainedAccess> {
    const standing = await this.access.find(user, room);
    if (!standing) throw roomNotFound();
    const about = aboutWhom(user, asked, named);
    const target = about === undefined ? null : await this.#target(user, room, about, asked === 'member.set' ? (role ?? 'member') : null);
    const action = asked === 'member.remove' && target ? removalOf(target) : asked;
    const full = await this.#full(user, standing, action, target);
    const facts = { ...factsOf(standing), serverMuted: this.mutes.find(user), ...(target && { target }), full };
    const onServer = this.revocations.standing(user);
    const explained = explain(action, facts);
    return {
      ...judgement(onServer, explained),
      action,
      rule: explained.rule,
      asAdministrator: ADMINISTERED.includes(asked) ? judgement(onServer, explain(action, { ...facts, administrator: true })) : null,
      facts: {
        ...{ type: facts.room.type, archived: facts.room.archived, role: facts.role },
        roomBanned: facts.banned,
        serverBanned: onServer === 'banned',
        serverDisabled: onServer === 'disabled',
        roomMuted: standing.muted !== null,
        serverMuted: facts.serverMuted !== null,
      },
    };
  }

  async #target(caller: string, room: string, user: string, newRole: Role | null): Promise<TargetFacts> {
    const standing = await this.access.find(user, room);
    if (!standing) throw roomNotFound();
    const isOwner = standing.role === 'owner' && newRole !== 'owner';
    return {
      user,
      role: standing.role,
      self: user === caller,
      ...(newRole && { newRole }),
      banned: standing.banned,
      guest: isGuest(user),
      lastOwner: isOwner && (await this.#counts(room, user)).owners === 1,
    };
  }

  /** Which cap leaves no place for who would be a new member. */
  async #full(user: string, { room, role }: Standing, action: RoomAction, target: TargetFacts | null): Promise<FullFacts | null> {
    const isJoin = action === 'room.join' && role === null;
    const newcomer = isJoin ? user : action === 'member.set' && target?.role === null ? target.user! : null;
    if (newcomer === null) return null;
    const { roomMembersMax, roomsPerUser } = this.config;
    const ofRoom = room.memberCount >= roomMembersMax ? ({ what: 'room', max: roomMembersMax } as const) : null;
    const hasRooms = (await this.#counts(room.id, newcomer)).rooms;
    const ofUser = hasRooms >= roomsPerUser ? ({ what: 'user', max: roomsPerUser } as const) : null;
    // As they are asked: who joins is told of his rooms first, who adds somebody of the room.
    return isJoin ? (ofUser ?? ofRoom) : (ofRoom ?? ofUser);
  }

  async #counts(room: string, user: string): Promise<CountsRow> {
    const [row] = await this.sql.query<CountsRow>(COUNTS, [room, user, this.config.roomsPerUser]);
    return row!;
  }
}

/** Who leaves is whom it is about. */
function aboutWhom(user: string, action: RoomAction, target: string | undefined): string | undefined {
  if (action === 'room.leave') return user;
  return ABOUT_A_MEMBER.includes(action) ? target : undefined;
}

function factsOf({ room: { type, archived }, role, banned, muted }: Standing): AccessFacts {
  return { room: { type, archived }, role, banned, muted };
}

function judgement(onServer: 'valid' | 'banned' | 'disabled', { verdict, reason, words }: Explanation): Judgement {
  if (onServer !== 'valid') return { allowed: false, verdict: 'forbidden', ...OF_SERVER[onServer] };
  return { allowed: verdict === 'allow', verdict, reason, words };
}
