import { type Mute, mutedError } from '../auth/sanctions.js';
import { ChatError, NO_SUCH_ROOM } from '../errors/chat-error.js';
import { BANNED_FROM_ROOM, MEMBERS_ONLY, ROOM_ARCHIVED, roomFull, tooManyRooms } from '../log/refusal-words.js';
import { POSTING_ROLES } from '../log/room-log.js';
import type { Role, RoomType } from '../protocol/index.js';

/** Who may do what in a room. Pure: the facts come from the caller, read at one moment or under the room's lock. */

export type Verdict = 'allow' | 'not_found' | 'forbidden' | 'conflict';

/** The member, or user to be one, whom an act is about. */
export interface TargetFacts {
  /** His id, where the caps may be in the way. */
  user?: string;
  /** His role before; null when he is no member. */
  role: Role | null;
  /** The caller himself. */
  self: boolean;
  /** With `member.set`: the role that he is to have. */
  newRole?: Role;
  banned?: boolean;
  /** A guest of the server, whom nobody vouches for. */
  guest?: boolean;
  /** He is the only owner, and the act would leave the room without one. */
  lastOwner?: boolean;
}

export interface AccessFacts {
  room: { type: RoomType; archived: boolean };
  /** The caller's role; null when he is no member. */
  role: Role | null;
  /** Whether the caller is banned from the room. */
  banned: boolean;
  /** The caller acts as an administrator of the server: what owners may, without being a member. */
  administrator?: true;
  /** The caller's mute in the room, and the one on the whole server. */
  muted?: Mute | null;
  serverMuted?: Mute | null;
  target?: TargetFacts;
  /** The cap that leaves no place for who would become a member. */
  full?: FullFacts | null;
}

export interface FullFacts {
  /** The room has so many members, or the user is in so many rooms. */
  what: 'room' | 'user';
  max: number;
}

export interface Rule {
  roles: readonly Role[];
  /** Whether a non-member of a public room may, too. */
  guests?: true;
  /** Not in a direct room. */
  notDirect?: true;
  /** In a direct room, where all are equal, every member may. */
  directAll?: true;
  /** In an archived room as well. */
  archived?: true;
  /** Whether an administrator may in a direct room what `notDirect` keeps its members from. */
  directAdministrator?: true;
  /** Says something: not for who is muted. */
  speech?: true;
}

const OWNER: readonly Role[] = ['owner'];
const STAFF: readonly Role[] = ['owner', 'moderator'];
const MEMBERS: readonly Role[] = ['owner', 'moderator', 'member'];

export const ROOM_RULES = {
  /** The room, its members, history and events. */
  'room.read': { roles: MEMBERS, guests: true, archived: true },
  'room.subscribe': { roles: MEMBERS, guests: true, archived: true },
  'room.join': { roles: MEMBERS, guests: true, notDirect: true },
  'room.leave': { roles: MEMBERS, notDirect: true, archived: true },
  /** Name, topic and `meta`: words for all to read. */
  'room.update': { roles: STAFF, directAll: true, speech: true },
  /** Once more changes nothing. */
  'room.archive': { roles: OWNER, notDirect: true, archived: true, directAdministrator: true },
  'room.unarchive': { roles: OWNER, notDirect: true, archived: true, directAdministrator: true },
  'room.delete': { roles: OWNER, notDirect: true, archived: true, directAdministrator: true },
  /** Adds a member, or gives one another role. */
  'member.set': { roles: STAFF, notDirect: true },
  'member.remove': { roles: STAFF, notDirect: true, archived: true },
  'ban.list': { roles: STAFF, notDirect: true, archived: true },
  'ban.set': { roles: STAFF, notDirect: true, archived: true },
  'ban.lift': { roles: STAFF, notDirect: true, archived: true },
  'mute.list': { roles: STAFF, notDirect: true, archived: true },
  'mute.set': { roles: STAFF, notDirect: true, archived: true },
  'mute.lift': { roles: STAFF, notDirect: true, archived: true },
  /** Reports of the room's messages: reading them, and deciding them by what the decider may do himself. */
  'report.list': { roles: STAFF, notDirect: true, archived: true },
  'report.resolve': { roles: STAFF, notDirect: true, archived: true },
  'message.send': { roles: POSTING_ROLES, speech: true },
  /** One's own. */
  'message.edit': { roles: MEMBERS, speech: true },
  'message.delete': { roles: MEMBERS },
  /** Another's. */
  'message.delete.any': { roles: STAFF },
  'read.set': { roles: MEMBERS, archived: true },
  typing: { roles: MEMBERS, speech: true },
  'presence.watch': { roles: MEMBERS, archived: true },
} as const satisfies Record<string, Rule>;

export type RoomAction = keyof typeof ROOM_RULES;

/** The act that removing this user is: a member who removes himself leaves. */
export function removalOf({ self, role }: TargetFacts): 'room.leave' | 'member.remove' {
  return self && role !== null ? 'room.leave' : 'member.remove';
}

/** Whether the act says something, which who is muted may not. */
export function isSpeech(action: RoomAction): boolean {
  const rule: Rule = ROOM_RULES[action];
  return rule.speech === true;
}

/**
 * Whether the act is allowed. In this order: a stranger to a private or direct room hears that there is none; then the caller's own
 * standing decides, then whom the act is about, then the state of the room.
 */
export function decide(action: RoomAction, facts: AccessFacts): Verdict {
  return explain(action, facts).verdict;
}

/** What decided, and what the caller is told of it. */
export interface Explanation {
  verdict: Verdict;
  /** The line of `ROOM_RULES` that was applied. */
  rule: Rule;
  /** Why the act is not allowed; null when it is. */
  reason: RefusalReason | null;
  /** Null when the act is allowed. */
  words: string | null;
}

/** As `decide`, with the reason. */
export function explain(action: RoomAction, facts: AccessFacts): Explanation {
  const reason = judge(action, facts);
  const rule = ROOM_RULES[action];
  if (reason === null) return { verdict: 'allow', rule, reason, words: null };
  return { verdict: REASONS[reason].verdict, rule, reason, words: wordsOf(reason, action, facts) };
}

function wordsOf(reason: RefusalReason, action: RoomAction, { muted, serverMuted, full, target }: AccessFacts): string {
  switch (reason) {
    case 'muted':
      return mutedError(muted!.until, 'room').message;
    case 'serverMuted':
      return mutedError(serverMuted!.until, 'server').message;
    case 'roomFull':
      return roomFull(full!.max);
    case 'userFull':
      return action === 'room.join' ? tooManyRooms(full!.max) : userFull(full!.max, [target!.user!]);
    default:
      return REASONS[reason].words;
  }
}

/** What the caller is told when `decide` does not allow the act; null when it does. */
export function refusal(action: RoomAction, facts: AccessFacts): ChatError | null {
  const { verdict, words } = explain(action, facts);
  if (verdict === 'allow') return null;
  return new ChatError(verdict, words!);
}

/** Whether it lies in a mute or in the room's state: such a refusal holds only for what would change something, so that retries are safe. */
export function isOfState(reason: RefusalReason): boolean {
  return reason === 'muted' || reason === 'serverMuted' || reason === 'archived';
}

/** Why a user may make no room, of whatever type; null when he may. @param maker.serverMuted his mute, where the room is to say something */
export function makingRefusal({ guest, serverMuted = null }: { guest: boolean; serverMuted?: Mute | null }): ChatError | null {
  if (guest) return new ChatError('forbidden', 'Guests of the server cannot make rooms.');
  return serverMuted && mutedError(serverMuted.until, 'server');
}

/** What is said in a room, and by administration: whoever decides, not about himself. */
export const OWN_REPORT = 'You cannot decide a report about yourself.';

const REASONS = {
  stranger: { verdict: 'not_found', words: NO_SUCH_ROOM },
  banned: { verdict: 'forbidden', words: BANNED_FROM_ROOM },
  guest: { verdict: 'forbidden', words: MEMBERS_ONLY },
  direct: { verdict: 'forbidden', words: 'A direct room does not allow this: its members are fixed, and all are equal.' },
  role: { verdict: 'forbidden', words: 'Your role in the room does not allow this.' },
  rank: { verdict: 'forbidden', words: 'Moderators act on members only; owners, moderators and their roles are for owners.' },
  selfBan: { verdict: 'forbidden', words: 'You cannot ban yourself.' },
  selfMute: { verdict: 'forbidden', words: 'You cannot mute yourself.' },
  selfReport: { verdict: 'forbidden', words: OWN_REPORT },
  muted: { verdict: 'forbidden', words: '' },
  serverMuted: { verdict: 'forbidden', words: '' },
  targetBanned: { verdict: 'forbidden', words: 'The user is banned from this room.' },
  serverGuest: { verdict: 'forbidden', words: 'A guest of the server cannot be an owner or moderator.' },
  targetNoMember: { verdict: 'not_found', words: 'The user is not a member of this room.' },
  archived: { verdict: 'conflict', words: ROOM_ARCHIVED },
  roomFull: { verdict: 'conflict', words: '' },
  userFull: { verdict: 'conflict', words: '' },
  lastOwner: { verdict: 'conflict', words: 'The room needs an owner: make another member one first.' },
} as const satisfies Record<string, { verdict: Exclude<Verdict, 'allow'>; words: string }>;

export const REFUSAL_REASONS = Object.keys(REASONS) as readonly RefusalReason[];
export type RefusalReason = keyof typeof REASONS;

function judge(action: RoomAction, given: AccessFacts): RefusalReason | null {
  const facts: AccessFacts = given.administrator ? { ...given, ...AS_OWNER } : given;
  const { room, role } = facts;
  const rule: Rule = ROOM_RULES[action];
  if (role === null && room.type !== 'public') return 'stranger';
  // What no non-member may is refused to a banned one as to any other: not all who judge by this know of bans.
  if (role === null && rule.guests && facts.banned) return 'banned';
  // There is nothing to do, so nothing can be in the way.
  if (role === null ? action === 'room.leave' : action === 'room.join') return null;
  return judgeCaller(rule, facts) ?? judgeTarget(action, facts) ?? judgeState(action, facts);
}

const AS_OWNER = { role: 'owner', banned: false, muted: null, serverMuted: null } as const;

// In the order of the log, which judges sends and joins by itself.
function judgeState(action: RoomAction, { room, muted, serverMuted, full }: AccessFacts): RefusalReason | null {
  const rule: Rule = ROOM_RULES[action];
  if (rule.speech && serverMuted) return 'serverMuted';
  if (rule.speech && muted) return 'muted';
  if (room.archived && !rule.archived) return 'archived';
  return full ? FULL[full.what] : null;
}

const FULL = { room: 'roomFull', user: 'userFull' } as const;

function judgeCaller(rule: Rule, { room, role, administrator }: AccessFacts): RefusalReason | null {
  if (role === null) return rule.guests ? null : 'guest';
  if (room.type !== 'direct') return rule.roles.includes(role) ? null : 'role';
  if (rule.notDirect) return administrator && rule.directAdministrator ? null : 'direct';
  return rule.directAll || rule.roles.includes(role) ? null : 'role';
}

function judgeTarget(action: RoomAction, { role, target, administrator }: AccessFacts): RefusalReason | null {
  if (!target) return null;
  if (target.self && action === 'ban.set') return 'selfBan';
  if (target.self && action === 'mute.set') return 'selfMute';
  if (target.self && action === 'report.resolve') return 'selfReport';
  if (role === 'moderator' && action !== 'room.leave') {
    const touched: (Role | null | undefined)[] = [target.role, target.newRole];
    if (touched.includes('owner') || touched.includes('moderator')) return 'rank';
  }
  if (target.banned && action === 'member.set') return 'targetBanned';
  if (target.guest && target.newRole !== undefined && STAFF.includes(target.newRole)) return 'serverGuest';
  // An administrator's removal may be repeated.
  if (action === 'member.remove' && target.role === null && !administrator) return 'targetNoMember';
  return target.lastOwner && TAKES_OWNER.includes(action) ? 'lastOwner' : null;
}

/** What may leave a room without an owner; who is muted, or reported, stays one. */
const TAKES_OWNER: readonly RoomAction[] = ['room.leave', 'member.set', 'member.remove', 'ban.set'];

/** What is said where users are to be members of one room more than the cap allows. */
export function userFull(max: number, users: readonly string[]): string {
  return `A user may be in ${max} rooms, and is: ${users.slice(0, 3).join(', ')}`;
}
