import { describe, expect, it } from '@jest/globals';
import type { Role, RoomType } from '../protocol/index.js';
import {
  decide,
  type AccessFacts,
  explain,
  makingRefusal,
  refusal,
  ROOM_RULES,
  type RoomAction,
  type TargetFacts,
  type Verdict,
} from './room-access.js';

/**
 * The whole table, written down a second time. Columns: owner, moderator and member of a public or private room; a member of a direct
 * room; a non-member and a banned user of a public room. Then what an archived room makes of an act that is allowed.
 */
const Y = 'allow';
const F = 'forbidden';
const C = 'conflict';
const TABLE: Record<RoomAction, [Verdict, Verdict, Verdict, Verdict, Verdict, Verdict, Verdict]> = {
  //                     owner mod member direct guest banned archived
  'room.read': [Y, Y, Y, Y, Y, F, Y],
  'room.subscribe': [Y, Y, Y, Y, Y, F, Y],
  'room.join': [Y, Y, Y, Y, Y, F, C],
  'room.leave': [Y, Y, Y, F, Y, Y, Y],
  'room.update': [Y, Y, F, Y, F, F, C],
  'room.archive': [Y, F, F, F, F, F, Y],
  'room.unarchive': [Y, F, F, F, F, F, Y],
  'room.delete': [Y, F, F, F, F, F, Y],
  'member.set': [Y, Y, F, F, F, F, C],
  'member.remove': [Y, Y, F, F, F, F, Y],
  'ban.list': [Y, Y, F, F, F, F, Y],
  'ban.set': [Y, Y, F, F, F, F, Y],
  'ban.lift': [Y, Y, F, F, F, F, Y],
  'mute.list': [Y, Y, F, F, F, F, Y],
  'mute.set': [Y, Y, F, F, F, F, Y],
  'mute.lift': [Y, Y, F, F, F, F, Y],
  'report.list': [Y, Y, F, F, F, F, Y],
  'report.resolve': [Y, Y, F, F, F, F, Y],
  'message.send': [Y, Y, Y, Y, F, F, C],
  'message.edit': [Y, Y, Y, Y, F, F, C],
  'message.delete': [Y, Y, Y, Y, F, F, C],
  'message.delete.any': [Y, Y, F, F, F, F, C],
  'read.set': [Y, Y, Y, Y, F, F, Y],
  typing: [Y, Y, Y, Y, F, F, C],
  'presence.watch': [Y, Y, Y, Y, F, F, Y],
};

const ACTIONS = Object.keys(ROOM_RULES) as RoomAction[];
const TYPES: RoomType[] = ['public', 'private', 'direct'];
const ROLES: (Role | null)[] = ['owner', 'moderator', 'member', null];

/** An act that has nothing to do is allowed in an archived room as well. */
const isNothing = (action: RoomAction, role: Role | null) => action === (role === null ? 'room.leave' : 'room.join');

function expected(action: RoomAction, { room, role, banned }: AccessFacts): Verdict {
  const [owner, moderator, member, direct, guest, bannedGuest, archived] = TABLE[action];
  if (role === null && room.type !== 'public') return 'not_found';
  let open: Verdict;
  if (role === null) open = banned ? bannedGuest : guest;
  else if (room.type === 'direct') open = direct;
  else open = { owner, moderator, member }[role];
  return open === 'allow' && room.archived && !isNothing(action, role) ? archived : open;
}

describe('decide', () => {
  it('is in the table for every action', () => {
    expect(Object.keys(TABLE).sort()).toEqual([...ACTIONS].sort());
  });

  it.each(ACTIONS)('%s: every type, role, ban and state', (action) => {
    for (const type of TYPES) {
      for (const role of type === 'direct' ? (['member', null] as const) : ROLES) {
        for (const banned of role === null ? [false, true] : [false]) {
          for (const archived of [false, true]) {
            const facts = { room: { type, archived }, role, banned };
            expect([facts, decide(action, facts)]).toEqual([facts, expected(action, facts)]);
          }
        }
      }
    }
  });

  it('names the roles of each act', () => {
    for (const action of ACTIONS) {
      const column = { owner: 0, moderator: 1, member: 2 } as const;
      const allowed = (Object.keys(column) as Role[]).filter((role) => TABLE[action][column[role]] === 'allow');
      expect([action, [...ROOM_RULES[action].roles].sort()]).toEqual([action, allowed.sort()]);
    }
  });
});

describe('whom an act is about', () => {
  const room = { type: 'public' as const, archived: false };
  const judge = (action: RoomAction, role: Role, target: TargetFacts) => decide(action, { room, role, banned: false, target });
  const nobody: TargetFacts = { role: null, self: false };

  it.each(['member.remove', 'ban.set', 'mute.set'] as const)('%s: moderators act on members only, owners on all', (action) => {
    for (const role of ['owner', 'moderator', 'member'] as const) {
      expect(judge(action, 'owner', { role, self: false })).toBe('allow');
      expect(judge(action, 'moderator', { role, self: false })).toBe(role === 'member' ? 'allow' : 'forbidden');
      expect(judge(action, 'member', { role, self: false })).toBe('forbidden');
    }
    expect(judge(action, 'moderator', nobody)).toBe(action === 'member.remove' ? 'not_found' : 'allow');
  });

  it('member.set: only owners give and take roles', () => {
    for (const role of [...ROLES]) {
      for (const newRole of ['owner', 'moderator', 'member'] as const) {
        expect(judge('member.set', 'owner', { role, newRole, self: false })).toBe('allow');
        const ordinary = (role === null || role === 'member') && newRole === 'member';
        expect(judge('member.set', 'moderator', { role, newRole, self: false })).toBe(ordinary ? 'allow' : 'forbidden');
        expect(judge('member.set', 'member', { role, newRole, self: false })).toBe('forbidden');
      }
    }
    expect(judge('member.set', 'moderator', { role: 'moderator', newRole: 'owner', self: true })).toBe('forbidden');
  });

  it('a moderator leaves like anybody else', () => {
    expect(judge('room.leave', 'moderator', { role: 'moderator', self: true })).toBe('allow');
  });

  it('the last owner stays', () => {
    const last: TargetFacts = { role: 'owner', self: true, lastOwner: true };
    expect(judge('room.leave', 'owner', last)).toBe('conflict');
    expect(judge('member.remove', 'owner', last)).toBe('conflict');
    expect(judge('member.set', 'owner', { ...last, newRole: 'member' })).toBe('conflict');
  });

  it('nobody bans himself, and nobody adds who is banned', () => {
    expect(judge('ban.set', 'owner', { role: 'owner', self: true })).toBe('forbidden');
    expect(judge('member.set', 'owner', { ...nobody, newRole: 'member', banned: true })).toBe('forbidden');
    expect(judge('ban.set', 'owner', { ...nobody, banned: true })).toBe('allow');
  });

  it('nobody mutes himself', () => {
    expect(judge('mute.set', 'owner', { role: 'owner', self: true })).toBe('forbidden');
  });

  it('nobody decides a report about himself, and moderators about members only', () => {
    for (const role of ['owner', 'moderator'] as const) expect(judge('report.resolve', role, { role, self: true })).toBe('forbidden');
    for (const role of ['owner', 'moderator', 'member', null] as const) {
      expect(judge('report.resolve', 'owner', { role, self: false })).toBe('allow');
      const isOrdinary = role === 'member' || role === null;
      expect(judge('report.resolve', 'moderator', { role, self: false })).toBe(isOrdinary ? 'allow' : 'forbidden');
    }
  });

  it('a guest of the server becomes a member and no more, and makes no room', () => {
    for (const newRole of ['owner', 'moderator', 'member'] as const) {
      const verdict = newRole === 'member' ? 'allow' : 'forbidden';
      for (const role of [null, 'member'] as const)
        expect(judge('member.set', 'owner', { role, newRole, self: false, guest: true })).toBe(verdict);
    }
    expect(judge('member.remove', 'moderator', { role: 'member', self: false, guest: true })).toBe('allow');
    expect([makingRefusal({ guest: true })?.code, makingRefusal({ guest: false })]).toEqual(['forbidden', null]);
  });

  it('tells a stranger nothing of whom an act is about', () => {
    const facts = { room: { type: 'private' as const, archived: true }, role: null, banned: true };
    expect(decide('member.remove', { ...facts, target: { role: 'owner', self: false, lastOwner: true } })).toBe('not_found');
  });
});

describe('who is muted', () => {
  const SPEECH: RoomAction[] = ['room.update', 'message.send', 'message.edit', 'typing'];
  const until = new Date('2030-01-01T00:00:00.000Z');

  it('says nothing, and does all else as before', () => {
    for (const action of ACTIONS) {
      for (const role of ['owner', 'member'] as const) {
        const facts: AccessFacts = { room: { type: 'public', archived: false }, role, banned: false };
        const verdict = SPEECH.includes(action) ? 'forbidden' : decide(action, facts);
        expect([action, role, decide(action, { ...facts, muted: { until } })]).toEqual([action, role, verdict]);
      }
    }
  });

  it('is told until when', () => {
    const facts: AccessFacts = { room: { type: 'public', archived: false }, role: 'member', banned: false, muted: { until } };
    expect(refusal('typing', facts)?.message).toBe('You are muted in this room until 2030-01-01T00:00:00.000Z.');
    expect(refusal('typing', { ...facts, muted: { until: null } })?.message).toBe('You are muted in this room.');
  });

  it('hears of the mute before the room’s state, and of the one on the server first', () => {
    const facts: AccessFacts = { room: { type: 'public', archived: true }, role: 'member', banned: false, muted: { until } };
    expect(explain('message.send', facts).reason).toBe('muted');
    expect(explain('message.send', { ...facts, serverMuted: { until } })).toMatchObject({
      reason: 'serverMuted',
      words: 'You are muted until 2030-01-01T00:00:00.000Z.',
    });
    expect(explain('message.send', { ...facts, administrator: true }).reason).toBe('archived');
  });

  it('hears what strangers hear where he is one', () => {
    const facts: AccessFacts = { room: { type: 'private', archived: false }, role: null, banned: false, muted: { until } };
    expect(decide('message.send', facts)).toBe('not_found');
  });
});

describe('caps', () => {
  it('are told to who would become a member, when nothing else is in the way', () => {
    const facts: AccessFacts = { room: { type: 'public', archived: false }, role: null, banned: false, full: { what: 'user', max: 3 } };
    expect(refusal('room.join', facts)).toMatchObject({ code: 'conflict', message: 'You are in 3 rooms already; leave one.' });
    expect(explain('room.join', { ...facts, full: { what: 'room', max: 9 } }).words).toBe('The room has its 9 members already.');
    const target = { user: 'bob', role: null, self: false, newRole: 'member' } as const;
    expect(explain('member.set', { ...facts, role: 'owner', target }).words).toBe('A user may be in 3 rooms, and is: bob');
    expect(explain('room.join', { ...facts, banned: true }).reason).toBe('banned');
  });
});

describe('refusal', () => {
  it('says in words what decide says', () => {
    const facts: AccessFacts = { room: { type: 'public', archived: true }, role: 'member', banned: false };
    expect(refusal('room.read', facts)).toBeNull();
    expect(refusal('message.send', facts)).toMatchObject({ code: 'conflict', message: 'The room is archived.' });
    expect(refusal('message.send', { ...facts, role: null })).toMatchObject({ code: 'forbidden' });
    const stranger: AccessFacts = { ...facts, room: { type: 'private', archived: false }, role: null };
    expect(refusal('room.read', stranger)).toMatchObject({ code: 'not_found', message: 'There is no such room.' });
  });
});

describe('an administrator of the server', () => {
  // Deleting another's message asks for a role that direct rooms do not have, and is not kept from them.
  const NOT_IN_DIRECT = ACTIONS.filter(
    (action) => TABLE[action][3] !== Y && !/^(room\.(archive|unarchive|delete)|message\.delete\.any)$/.test(action),
  );

  it.each(ACTIONS)('%s: as an owner, whatever he is in the room, and in a direct room what ends it', (action) => {
    for (const type of TYPES) {
      for (const archived of [false, true]) {
        for (const role of ROLES) {
          for (const banned of [false, true]) {
            const verdict = decide(action, { room: { type, archived }, role, banned, administrator: true });
            const asOwner = decide(action, { room: { type: 'private', archived }, role: 'owner', banned: false });
            const isNotForDirect = type === 'direct' && NOT_IN_DIRECT.includes(action) && action !== 'room.join';
            expect([type, archived, role, banned, verdict]).toEqual([type, archived, role, banned, isNotForDirect ? F : asOwner]);
          }
        }
      }
    }
  });

  it('leaves a room its last owner', () => {
    const target: TargetFacts = { role: 'owner', self: false, lastOwner: true };
    const facts = { room: { type: 'public' as const, archived: false }, role: null, banned: false, administrator: true as const, target };
    expect(explain('member.remove', facts)).toMatchObject({ verdict: 'conflict', reason: 'lastOwner' });
  });
});

describe('explain', () => {
  it('names the rule that was applied, and what the caller is told', () => {
    const room = { type: 'public' as const, archived: false };
    expect(explain('room.delete', { room, role: 'moderator', banned: false })).toEqual({
      verdict: 'forbidden',
      rule: ROOM_RULES['room.delete'],
      reason: 'role',
      words: refusal('room.delete', { room, role: 'moderator', banned: false })!.message,
    });
    expect(explain('room.read', { room, role: null, banned: false })).toEqual({
      verdict: 'allow',
      rule: ROOM_RULES['room.read'],
      reason: null,
      words: null,
    });
  });
});
