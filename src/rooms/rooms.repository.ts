import { Injectable } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { Acts } from '../changes/acts.js';
import { Config } from '../config/config.js';
import { containing } from '../database/conditions.js';
import { Sql } from '../database/sql.js';
import { messageView } from '../log/message.entity.js';
import { roomView } from '../log/room.entity.js';
import { LIMITS, type Message, type Meta, type Role, type RoomType, type RoomView } from '../protocol/index.js';
import { type Page, PageCursor } from './page-cursor.js';
import { assertRoomForUsers } from './rooms-per-user.js';
import {
  FIND_MADE_ROOM,
  FIND_ROOM,
  INSERT_ROOM,
  type InsertedRoomRow,
  LIST_MY_ROOMS,
  LIST_PUBLIC_ROOMS,
  type MadeRoomRow,
  MEMBERS_AMONG,
  type MyRoomRow,
  type RoomRow,
} from './room-statements.js';

export interface NewRoom {
  type: RoomType;
  name: string | null;
  topic: string | null;
  meta: Meta;
  createdBy: string;
  /** The creator among them; each user once. */
  members: { user: string; role: Role }[];
  creationKey: string | null;
}

export interface PageRequest {
  cursor?: string | undefined;
  limit: number;
}

/** A room as one of its members sees it in his list. */
export interface MyRoom {
  room: RoomView;
  role: Role;
  readSeq: number;
  /** Undeleted messages of others behind `readSeq`; stops at 100. */
  unread: number;
  /** The newest, as it stands; null in a room without messages. */
  lastMessage: Message | null;
}

/** A room that was there before it was asked for. */
export interface MadeRoom {
  view: RoomView;
  /** The creator's role now; null when he is no member any more. */
  role: Role | null;
  deleted: boolean;
  /** Whether it is what was asked for: a room of this type, and as a direct room of these members. */
  matches: boolean;
}

@Injectable()
export class RoomsRepository {
  constructor(
    private readonly config: Config,
    private readonly sql: Sql,
    private readonly acts: Acts,
  ) {}

  /**
   * Makes the room with its members at once, and tells them. Null: one with its creation key, or a direct one of its members, is committed already.
   * @throws {ChatError} conflict when a member may be in no further room
   */
  async insert(room: NewRoom): Promise<RoomView | null> {
    const { type, name, topic, meta, createdBy, members, creationKey } = room;
    const values = [
      uuidv7(),
      type,
      name,
      topic,
      JSON.stringify(meta),
      randomBytes(6).toString('base64url'),
      members.map(({ user }) => user),
      createdBy,
      creationKey,
      directKey(room),
      members.map(({ role }) => role),
    ];
    const users = members.map(({ user }) => user);
    const row = await this.sql.transaction(async (manager) => {
      const [inserted] = await manager.query<InsertedRoomRow[]>(INSERT_ROOM.text, values);
      // Behind the room's row, as everybody takes these locks; the room itself is among what is counted.
      if (inserted) await assertRoomForUsers(manager, users, this.config.roomsPerUser, 1);
      return inserted;
    });
    row?.acts.forEach((act) => this.acts.publish(act));
    return row ? viewOfRow(row) : null;
  }

  /** The room that kept `insert` from making this one. */
  async findMade(room: NewRoom): Promise<MadeRoom | null> {
    const key = directKey(room);
    const [row] = await this.sql.query<MadeRoomRow>(FIND_MADE_ROOM, [room.createdBy, room.creationKey, key]);
    if (!row) return null;
    const sameMembers = key === null || row.direct_key?.equals(key) === true;
    return { view: viewOfRow(row), role: row.role, deleted: row.deleted_at !== null, matches: row.type === room.type && sameMembers };
  }

  /** The room as it stands; null when there is none, or none any more. */
  async find(room: string): Promise<RoomView | null> {
    const [row] = await this.sql.query<RoomRow>(FIND_ROOM, [room]);
    return row ? viewOfRow(row) : null;
  }

  /** Those of the users who are members; of a deleted room, who were so to its end. */
  async membersAmong(room: string, users: readonly string[]): Promise<string[]> {
    if (users.length === 0) return [];
    const rows = await this.sql.query<{ user_id: string }>(MEMBERS_AMONG, [room, users]);
    return rows.map(({ user_id }) => user_id);
  }

  /** @param search a part of the name, in any case */
  async listPublic(user: string, search: string | undefined, { cursor, limit }: PageRequest): Promise<Page<RoomView>> {
    const list = new PageCursor('timedRoom', 'public', search ?? '');
    const [createdAt, id] = list.read(cursor) ?? [null, null];
    const rows = await this.sql.query<RoomRow>(LIST_PUBLIC_ROOMS, [
      user,
      createdAt === null ? null : new Date(createdAt),
      id,
      search === undefined ? null : containing(search),
      limit + 1,
    ]);
    return list.page(rows, limit, (row) => [row.created_at.getTime(), row.id], viewOfRow);
  }

  async listMine(user: string, { cursor, limit }: PageRequest): Promise<Page<MyRoom>> {
    const list = new PageCursor('id', 'mine', user);
    const [id] = list.read(cursor) ?? [null];
    const rows = await this.sql.query<MyRoomRow>(LIST_MY_ROOMS, [user, id, limit + 1, LIMITS.unreadMax]);
    return list.page(rows, limit, (row) => [row.id], myRoomOf);
  }
}

/** One for a set of members, in whatever order they are named. */
function directKey({ type, members }: NewRoom): Buffer | null {
  if (type !== 'direct') return null;
  const ids = members.map(({ user }) => user).sort();
  return createHash('sha256').update(JSON.stringify(ids)).digest();
}

export function viewOfRow(row: RoomRow): RoomView {
  const { id, type, name, topic, meta, epoch } = row;
  return roomView({
    ...{ id, type, name, topic, meta, epoch },
    firstSeq: Number(row.first_seq),
    lastSeq: Number(row.last_seq),
    lastAt: row.last_at,
    memberCount: row.member_count,
    createdBy: row.created_by,
    createdAt: row.created_at,
    archivedAt: row.archived_at,
    deletedAt: row.deleted_at,
    directKey: null,
    creationKey: null,
  });
}

function myRoomOf(row: MyRoomRow): MyRoom {
  return { room: viewOfRow(row), role: row.role, readSeq: Number(row.read_seq), unread: row.unread, lastMessage: lastMessageOf(row) };
}

function lastMessageOf(row: MyRoomRow): Message | null {
  if (row.message_seq === null) return null;
  return messageView({
    seq: Number(row.message_seq),
    lastSeq: Number(row.message_last_seq),
    senderId: row.sender_id,
    clientId: row.client_id,
    text: row.text,
    meta: row.message_meta,
    version: row.version,
    createdAt: row.sent_at,
    editedAt: row.edited_at,
    deletedAt: row.message_deleted_at,
  });
}
