import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { AccessControl } from '../../src/auth/access-control.service.js';
import type { Role, RoomType } from '../../src/protocol/index.js';
import type { RoomAction } from '../../src/rooms/room-access.js';
import { type ChatClient, CommandError, refusedUpgrade } from './chat-client.js';
import type { ChatServer } from './chat-server.js';

/** What an act came to: allowed, or the code of the refusal, and what the user was told. */
export interface Outcome {
  verdict: string;
  words: string | null;
}

export interface RoomKind {
  type: RoomType;
  archived: boolean;
  /** Without it, the room's owner is its only one. */
  secondOwner?: boolean;
}

/** Users of every standing, by name; `stranger` and `roomBanned` are no members. */
export const STANDINGS = {
  owner: 'owner',
  moderator: 'moderator',
  mutedModerator: 'moderator',
  member: 'member',
  roomMuted: 'member',
  serverMuted: 'member',
  serverBanned: 'member',
  serverDisabled: 'member',
  other: 'member',
  roomBanned: null,
  stranger: null,
} as const satisfies Record<string, Role | null>;
export const USERS = Object.keys(STANDINGS);
/** Whom acts on others are about, and no act is by. */
export const OTHER = 'other';

/** Users of every standing, who do in rooms what a line of the permission table is about, as clients do it. */
export class RoomActs {
  readonly #sockets = new Map<string, ChatClient>();
  #count = 0;

  private constructor(private readonly server: ChatServer) {}

  static async begin(server: ChatServer): Promise<RoomActs> {
    const control = server.get(AccessControl);
    await server.http('serverDisabled', 'GET', '/v1/me');
    await control.muteUser('serverMuted');
    await control.banUser('serverBanned');
    await control.disableUser('serverDisabled', { userId: 'root' }, null);
    return new RoomActs(server);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#sockets.values()].map((client) => client.close()));
  }

  /** A room of all who are members, with a message of everybody (his `seq` is his place in `USERS`, from 1), each reported. */
  async room({ type, archived, secondOwner = false }: RoomKind): Promise<string> {
    const room = randomUUID();
    const members: [string, Role][] = USERS.flatMap((user) => {
      const role: Role | null = STANDINGS[user as keyof typeof STANDINGS];
      if (role === null) return [];
      return [[user, type === 'direct' ? 'member' : role]];
    });
    if (secondOwner) members.push(['secondOwner', 'owner']);
    const hasStaff = type !== 'direct';
    await this.server
      .get(DataSource)
      .query(MAKE_ROOM, [
        room,
        type,
        archived,
        members.map(([user]) => user),
        members.map(([, role]) => role),
        USERS,
        hasStaff ? ['roomBanned'] : [],
        hasStaff ? ['roomMuted', 'mutedModerator'] : [],
      ]);
    return room;
  }

  /** @param target whom an act on a member is about */
  async act(action: RoomAction, user: string, room: string, target = `new-${++this.#count}`, role: Role = 'member'): Promise<Outcome> {
    const by = (method: string, path: string, body?: object, headers?: Record<string, string>) =>
      this.#ask(user, method, `/v1/rooms/${room}${path}`, body, headers);
    const seq = USERS.indexOf(user) + 1;
    switch (action) {
      case 'room.read':
        return by('GET', '/messages');
      case 'room.subscribe':
      case 'presence.watch':
        return this.#command(user, action, room);
      case 'typing':
        return this.#command(user, 'typing.start', room);
      case 'room.join':
      case 'room.leave':
        return by('POST', action.replace('room.', '/'));
      case 'member.remove':
        return by('DELETE', `/members/${target.startsWith('new-') ? OTHER : target}`);
      case 'ban.list':
      case 'mute.list':
      case 'report.list':
        return by('GET', `/${action.replace('.list', 's')}`);
      case 'report.resolve': {
        const about = target.startsWith('new-') ? OTHER : target;
        const [report] = await this.server.get(DataSource).query<{ id: string }[]>(FIND_REPORT, [room, about]);
        return by('POST', `/reports/${report!.id}/resolve`, { decision: 'dismiss', reason: 'x' });
      }
      case 'message.send':
        return by('POST', '/messages', { text: 'hi' }, { 'idempotency-key': randomUUID() });
      case 'message.edit':
        return by('PATCH', `/messages/${seq}`, { text: `text ${++this.#count}` });
      case 'message.delete':
        return by('DELETE', `/messages/${seq}`);
      case 'message.delete.any':
        return by('DELETE', `/messages/${USERS.indexOf(OTHER) + 1}`);
      case 'read.set':
        return by('PUT', '/read', { seq: 1 });
      default: {
        const call = this.#callOf(action, target, role);
        if (!call) throw new Error(`no route does ${action}`);
        return by(...call);
      }
    }
  }

  /** As `act`, but under administration, with a token that makes the user an administrator. */
  async administer(action: RoomAction, user: string, room: string, target: string, role: Role): Promise<Outcome> {
    const headers = { authorization: `Bearer ${this.server.test.token(user, { roles: ['admin'] })}` };
    const by = (method: string, path: string, body?: object) => this.#ask(null, method, `/v1/admin/rooms/${room}${path}`, body, headers);
    switch (action) {
      case 'room.read':
        return by('GET', '/members');
      case 'member.remove':
        return by('DELETE', `/members/${target}`);
      default: {
        const call = this.#callOf(action, target, role);
        if (!call) throw new Error(`no route of administration does ${action}`);
        return by(...call);
      }
    }
  }

  /** What is asked for in the same words under a room and under its administration. */
  #callOf(action: RoomAction, target: string, role: Role): [method: string, path: string, body?: object] | undefined {
    switch (action) {
      case 'room.update':
        return ['PATCH', '', { topic: `topic ${++this.#count}` }];
      case 'room.archive':
      case 'room.unarchive':
        return ['PATCH', '', { archived: action === 'room.archive' }];
      case 'room.delete':
        return ['DELETE', ''];
      case 'member.set':
        return ['PUT', `/members/${target}`, { role }];
      case 'ban.set':
      case 'mute.set':
        return ['PUT', `/${action.replace('.set', 's')}/${target}`, {}];
      case 'ban.lift':
      case 'mute.lift':
        return ['DELETE', `/${action.replace('.lift', 's')}/${target}`];
      default:
        return undefined;
    }
  }

  async #ask(user: string | null, method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Outcome> {
    const { status, body: answer } = await this.server.http(user, method, path, body, headers);
    if (status < 300) return ALLOWED;
    const { code, message } = answer as { code: string; message: string };
    return { verdict: code, words: message };
  }

  async #command(user: string, event: string, room: string): Promise<Outcome> {
    if (user === 'serverBanned' || user === 'serverDisabled') {
      const { body } = await refusedUpgrade(this.server.wsUrl, { token: this.server.test.token(user) });
      return { verdict: body.code, words: body.message };
    }
    let client = this.#sockets.get(user);
    if (!client) this.#sockets.set(user, (client = await this.server.connect(user)));
    try {
      await client.command(event, { room });
      return ALLOWED;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return { verdict: error.code, words: error.data['message'] as string };
    }
  }
}

const ALLOWED: Outcome = { verdict: 'allow', words: null };

const FIND_REPORT = 'SELECT id FROM reports WHERE room_id = $1 AND user_id = $2';

/** $1 room, $2 type, $3 whether archived, $4 members and $5 their roles, $6 senders, $7 banned, $8 muted */
const MAKE_ROOM = `WITH room AS (
    INSERT INTO rooms (id, type, epoch, created_by, member_count, last_seq, archived_at)
    VALUES ($1, $2, 'e', 'owner', cardinality($4::text[]), cardinality($6::text[]), CASE WHEN $3::boolean THEN now() END)
  ), members AS (
    INSERT INTO memberships (room_id, user_id, role) SELECT $1, * FROM unnest($4::text[], $5::text[])
  ), banned AS (
    INSERT INTO room_bans (room_id, user_id, by_user) SELECT $1, u, 'owner' FROM unnest($7::text[]) u
  ), muted AS (
    INSERT INTO room_mutes (room_id, user_id, by_user) SELECT $1, u, 'owner' FROM unnest($8::text[]) u
  ), messages AS (
    INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
    SELECT $1, s.i, s.i, s.u, 'c', 'hi', '{}', now() FROM unnest($6::text[]) WITH ORDINALITY AS s (u, i)
  )
  INSERT INTO reports (id, reporter_id, user_id, room_id, seq, reason)
  SELECT gen_random_uuid(), 'reporter', s.u, $1, s.i, 'spam' FROM unnest($6::text[]) WITH ORDINALITY AS s (u, i)`;
