import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AccessAdminService } from '../../src/admin/access-admin.service.js';
import type { Role, RoomType } from '../../src/protocol/index.js';
import { ROOM_RULES, type RoomAction } from '../../src/rooms/room-access.js';
import { AdministratorClient } from '../support/administrator.js';
import { ChatServer } from '../support/chat-server.js';
import { OTHER, RoomActs, type RoomKind, USERS } from '../support/room-acts.js';

const TYPES: RoomType[] = ['public', 'private', 'direct'];
const ACTIONS = Object.keys(ROOM_RULES) as RoomAction[];
/** What changes who may what afterwards: each in a room of its own. */
const CHANGING = new Set<RoomAction>([
  ...(['room.join', 'room.leave', 'room.archive', 'room.unarchive', 'room.delete', 'member.remove'] as const),
  ...(['message.edit', 'message.delete', 'message.delete.any', 'report.resolve'] as const),
]);
/** What administrators have a route for. */
const ADMINISTERED = new Set<RoomAction>([
  ...(['room.read', 'room.update', 'room.archive', 'room.unarchive', 'room.delete'] as const),
  ...(['member.set', 'member.remove', 'ban.set', 'ban.lift', 'mute.set', 'mute.lift'] as const),
]);

describe('why somebody may or may not', () => {
  let server: ChatServer;
  let root: AdministratorClient;
  beforeAll(async () => {
    server = await ChatServer.start();
    root = new AdministratorClient(server);
  });
  afterAll(() => server.close());

  const ask = (user: string, room: string, action: string) => root.done('GET', `/access?user=${user}&room=${room}&action=${action}`);

  it('is answered by the rule that decides, and by what it was decided by', async () => {
    const room = await server.room('ann', 'private', ['ben', 'eve']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/members/eve`, { role: 'moderator' });
    expect(await ask('ben', room, 'message.send')).toEqual({
      allowed: true,
      verdict: 'allow',
      action: 'message.send',
      asAdministrator: null,
      rule: { roles: ['owner', 'moderator', 'member'], speech: true },
      reason: null,
      words: null,
      facts: {
        ...{ type: 'private', archived: false, role: 'member' },
        ...{ roomBanned: false, serverBanned: false, serverDisabled: false, roomMuted: false, serverMuted: false },
      },
    });
    expect(await ask('ben', room, 'room.delete')).toMatchObject({
      allowed: false,
      verdict: 'forbidden',
      reason: 'role',
      rule: { roles: ['owner'] },
    });
    expect(await ask('eve', room, 'room.update')).toMatchObject({
      allowed: true,
      rule: { roles: ['owner', 'moderator'], directAll: true, speech: true },
    });
    expect(await ask('zoe', room, 'room.read')).toMatchObject({ allowed: false, verdict: 'not_found', reason: 'stranger' });
    await root.done('PATCH', `/rooms/${room}`, { archived: true });
    expect(await ask('ben', room, 'message.send')).toMatchObject({
      verdict: 'conflict',
      reason: 'archived',
      words: 'The room is archived.',
    });
    // What is said is what happens.
    const answer = await server.http('ben', 'POST', `/v1/rooms/${room}/messages`, { text: 'x' }, { 'idempotency-key': 'k' });
    expect(answer).toMatchObject({ status: 409, body: { message: 'The room is archived.' } });
  });

  it('knows who is banned from the room, banned from the server, or disabled', async () => {
    const room = await server.room('ann', 'public', ['ben']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/bans/mob`, {});
    expect(await ask('mob', room, 'room.join')).toMatchObject({ verdict: 'forbidden', reason: 'banned', facts: { roomBanned: true } });
    expect(await ask('ben', room, 'room.read')).toMatchObject({ allowed: true });
    await root.done('PUT', '/users/ben/ban');
    expect(await ask('ben', room, 'room.read')).toMatchObject({
      allowed: false,
      reason: 'serverBanned',
      facts: { role: 'member', serverBanned: true },
    });
    await root.done('DELETE', '/users/ben/ban');
    await server.http('ben', 'GET', '/v1/me');
    await root.done('PUT', '/users/ben/disabled', { disabled: true });
    expect(await ask('ben', room, 'room.read')).toMatchObject({ reason: 'serverDisabled', words: 'The user is disabled.' });
  });

  it('knows who is muted, in the room or on the server', async () => {
    const room = await server.room('ann', 'public', ['cat']);
    await server.http('ann', 'PUT', `/v1/rooms/${room}/mutes/cat`, { until: '2099-01-01T00:00:00Z' });
    expect(await ask('cat', room, 'message.send')).toMatchObject({
      verdict: 'forbidden',
      reason: 'muted',
      words: 'You are muted in this room until 2099-01-01T00:00:00.000Z.',
      facts: { roomMuted: true, serverMuted: false },
    });
    await server.http('ann', 'DELETE', `/v1/rooms/${room}/mutes/cat`);
    await root.done('PUT', '/users/cat/mute');
    expect(await ask('cat', room, 'message.send')).toMatchObject({ allowed: false, reason: 'serverMuted', words: 'You are muted.' });
    expect(await ask('cat', room, 'room.read')).toMatchObject({ allowed: true, facts: { serverMuted: true } });
  });

  it.each(TYPES)(
    'is what happens: each line of the table, for users of every standing, in %s rooms, archived or not',
    async (type) => {
      const acts = await RoomActs.begin(server);
      // Whom the server lets do nothing at all hears the same of every room.
      const callers = USERS.filter((user) => user !== OTHER && (type === 'public' || !user.startsWith('server') || user === 'serverMuted'));
      const faults: string[] = [];
      let compared = 0;
      const compare = async (action: RoomAction, user: string, room: string, kind: RoomKind) => {
        const { verdict, words } = await server.get(AccessAdminService).explain({ user, room, action });
        const real = await acts.act(action, user, room);
        compared++;
        if (JSON.stringify({ verdict, words }) !== JSON.stringify(real))
          faults.push(JSON.stringify([action, user, kind, verdict, words, real]));
      };
      const kinds = [false, true].map((archived): RoomKind => ({ type, archived }));
      await Promise.all(
        kinds.map(async (kind) => {
          const shared = await acts.room(kind);
          for (const user of callers) {
            for (const action of ACTIONS) await compare(action, user, CHANGING.has(action) ? await acts.room(kind) : shared, kind);
          }
          await compare('room.leave', 'owner', await acts.room({ ...kind, secondOwner: true }), kind);
        }),
      );
      expect(faults).toEqual([]);
      expect(compared).toBe(kinds.length * (callers.length * ACTIONS.length + 1));
      await acts.end();
    },
    120_000,
  );

  it('is what happens to whom it is about, and under administration', async () => {
    const acts = await RoomActs.begin(server);
    const faults: string[] = [];
    const about = ['owner', 'moderator', 'member', 'stranger', 'roomBanned', 'guest:one'];
    const compare = async (kind: RoomKind, action: RoomAction, user: string, target: string, role: Role) => {
      const room = await acts.room(kind);
      const { asAdministrator: told, ...explained } = await server.get(AccessAdminService).explain({ user, room, action, target, role });
      const real = [
        await acts.act(action, user, room, target, role),
        told && (await acts.administer(action, user, await acts.room(kind), target, role)),
      ];
      const said = [explained, told].map((one) => one && { verdict: one.verdict, words: one.words });
      if ((told !== null) !== ADMINISTERED.has(action) || JSON.stringify(said) !== JSON.stringify(real))
        faults.push(JSON.stringify([kind, action, user, target, role, said, real]));
    };
    const kinds: RoomKind[] = [
      { type: 'public', archived: false },
      { type: 'private', archived: true },
      { type: 'private', archived: false, secondOwner: true },
      { type: 'direct', archived: false },
    ];
    await Promise.all(
      kinds.map(async (kind) => {
        for (const user of kind.type === 'direct' ? ['member'] : ['owner', 'moderator', 'member']) {
          for (const target of about) {
            for (const role of ['member', 'owner'] as const) await compare(kind, 'member.set', user, target, role);
            for (const action of ['member.remove', 'ban.set', 'mute.set'] as const) await compare(kind, action, user, target, 'member');
            if (USERS.includes(target)) await compare(kind, 'report.resolve', user, target, 'member');
          }
        }
        for (const action of [
          'room.read',
          'room.update',
          'room.archive',
          'room.unarchive',
          'room.delete',
          'ban.lift',
          'mute.lift',
        ] as const)
          await compare(kind, action, 'moderator', 'member', 'member');
      }),
    );
    expect(faults).toEqual([]);
    await acts.end();
  }, 120_000);

  it('knows actions of the table only, and rooms that are there', async () => {
    const room = await server.room('ann', 'public');
    expect((await root.ask('GET', `/access?user=ann&room=${room}&action=toString`)).status).toBe(400);
    expect((await root.ask('GET', '/access?user=ann&room=0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11&action=room.read')).status).toBe(404);
  });
});
