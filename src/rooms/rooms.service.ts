import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import type { QueryDeepPartialEntity } from 'typeorm';
import { Mutes } from '../auth/mutes.js';
import { Config } from '../config/config.js';
import { ChatError, roomNotFound, validationFailed } from '../errors/chat-error.js';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import { type LogTransaction, RoomLog } from '../log/room-log.js';
import { RoomEntity, roomView } from '../log/room.entity.js';
import { isGuest, LIMITS, type Meta, type Role, type RoomType, type RoomView } from '../protocol/index.js';
import { RoomAccess } from './access.service.js';
import { type Caller, callerId } from './caller.js';
import { removeMember, requireUnderLock, targetFacts } from './membership-changes.js';
import type { Page } from './page-cursor.js';
import { makingRefusal } from './room-access.js';
import { type MyRoom, type NewRoom, type PageRequest, RoomsRepository } from './rooms.repository.js';

export interface RoomDraft {
  type: RoomType;
  name?: string | null | undefined;
  topic?: string | null | undefined;
  meta?: Meta | undefined;
  /** The creator may be among them, and is one anyway. */
  members?: readonly string[] | undefined;
}

/** What is not named stays as it is; null takes a name or topic away. */
export interface RoomChanges {
  name?: string | null | undefined;
  topic?: string | null | undefined;
  /** Replaces the whole. */
  meta?: Meta | undefined;
  archived?: boolean | undefined;
}

/**
 * Rooms, and a user's own coming and going. Every act is judged under the room's lock, and what it changes is committed together with
 * its event. Errors of all: {ChatError} not_found, forbidden, conflict as `room-access` has them, unavailable, timeout.
 */
@Injectable()
export class RoomsService {
  constructor(
    private readonly config: Config,
    private readonly limits: RateLimits,
    private readonly log: RoomLog,
    private readonly access: RoomAccess,
    private readonly rooms: RoomsRepository,
    private readonly mutes: Mutes,
  ) {}

  /**
   * Makes a room with its first members, without an event. Once for each creation key of a user, and once for each set of members of
   * direct rooms, also when it is asked for at the same time: then `created` is false and the room is as it stands.
   */
  async create(user: string, draft: RoomDraft, creationKey: string | null = null): Promise<{ room: RoomView; created: boolean }> {
    const room = newRoom(user, draft, creationKey);
    const refused = makingRefusal({ guest: isGuest(user), serverMuted: saysSomething(room) ? this.mutes.find(user) : null });
    if (refused) return { room: await this.#madeBefore(room, refused), created: false };
    const { roomMembersMax } = this.config;
    if (room.members.length > roomMembersMax) throw new ChatError('conflict', `A room may have ${roomMembersMax} members.`);
    const view = await this.rooms.insert(room);
    if (!view) return { room: await this.#made(room), created: false };
    return { room: view, created: true };
  }

  async get(user: string, room: string): Promise<RoomView> {
    await this.access.require(user, room, 'room.read');
    const view = await this.rooms.find(room);
    if (!view) throw roomNotFound();
    return view;
  }

  listPublic(user: string, search: string | undefined, page: PageRequest): Promise<Page<RoomView>> {
    return this.rooms.listPublic(user, search, page);
  }

  listMine(user: string, page: PageRequest): Promise<Page<MyRoom>> {
    return this.rooms.listMine(user, page);
  }

  /** Changes that change nothing make no event. Archiving ends every subscription; the room stays readable. */
  async update(caller: Caller, room: string, changes: RoomChanges): Promise<RoomView> {
    const { archived, ...settings } = changes;
    const changesSettings = Object.values(settings).some((value) => value !== undefined);
    if (archived === undefined && !changesSettings) throw validationFailed([{ path: '', message: 'must name something to change' }]);
    return this.log.transact(room, async (tx) => {
      const wasArchived = tx.room.archivedAt !== null;
      if (archived !== undefined) await requireUnderLock(tx, caller, archived ? 'room.archive' : 'room.unarchive');
      const reopens = wasArchived && archived === false;
      if (reopens) tx.room.archivedAt = null;
      if (changesSettings) await requireUnderLock(tx, caller, 'room.update', undefined, this.mutes.find(callerId(caller)));
      if (applySettings(tx.room, settings) || reopens) await recordState(tx, 'room.updated');
      if (archived && !wasArchived) {
        tx.room.archivedAt = tx.at;
        await recordState(tx, 'room.archived');
      }
      return roomView(tx.room);
    });
  }

  /** The room and its log stay in the database, for nobody to see. @returns the room as it was last seen */
  remove(caller: Caller, room: string): Promise<RoomView> {
    return this.log.transact(room, async (tx) => {
      await requireUnderLock(tx, caller, 'room.delete');
      tx.room.deletedAt = tx.at;
      await recordState(tx, 'room.deleted');
      tx.announce({ kind: 'room.removed', users: 'members', room, reason: 'deleted' });
      return roomView(tx.room);
    });
  }

  /** Into a public room; in batches. Joining twice is no error and makes no event. @throws {ChatError} rate_limited too */
  async join(user: string, room: string): Promise<{ role: Role }> {
    const retryAfterMs = this.limits.takeJoin(user);
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs, this.limits.joins.policy);
    return this.log.join(room, user);
  }

  /** Ends the user's access at this place of the log. Leaving a public room twice is no error and makes no event. */
  leave(user: string, room: string): Promise<void> {
    return this.log.transact(room, async (tx) => {
      const { member, target } = await targetFacts(tx, user, user, null);
      await requireUnderLock(tx, user, 'room.leave', target);
      const silent = tx.room.memberCount > LIMITS.largeRoom;
      if (member) await removeMember(tx, member, { ends: 'left', by: user, silent });
    });
  }

  // A retry of what was made before the mute is answered as it was.
  async #madeBefore(room: NewRoom, refused: ChatError): Promise<RoomView> {
    if (!(await this.rooms.findMade(room))) throw refused;
    return this.#made(room);
  }

  async #made(room: NewRoom): Promise<RoomView> {
    const made = await this.rooms.findMade(room);
    // Who left the room since, or was removed from it, is told no more than others are.
    if (!made || made.deleted || made.role === null) throw roomNotFound();
    if (!made.matches) throw new ChatError('conflict', 'This Idempotency-Key has made another room.');
    return made.view;
  }
}

function newRoom(user: string, draft: RoomDraft, creationKey: string | null): NewRoom {
  const { type, name = null, topic = null, meta = {} } = draft;
  const others = new Set(draft.members);
  others.delete(user);
  if (type === 'direct') checkDirectMembers(others.size);
  const creator = { user, role: type === 'direct' ? ('member' as const) : ('owner' as const) };
  const members = [creator, ...[...others].map((other) => ({ user: other, role: 'member' as const }))];
  return { type, name, topic, meta, createdBy: user, members, creationKey };
}

/** Whether its members would read something that its maker wrote. */
function saysSomething({ name, topic, meta }: NewRoom): boolean {
  return name !== null || topic !== null || Object.keys(meta).length > 0;
}

function checkDirectMembers(others: number): void {
  if (others === 0) throw validationFailed([{ path: 'members', message: 'must name another user' }]);
  if (others >= LIMITS.directMembers)
    throw validationFailed([{ path: 'members', message: `must be at most ${LIMITS.directMembers - 1} others` }]);
}

/** @returns whether anything became another */
function applySettings(room: RoomEntity, { name = room.name, topic = room.topic, meta = room.meta }: RoomChanges): boolean {
  const same = name === room.name && topic === room.topic && isDeepStrictEqual(meta, room.meta);
  if (!same) Object.assign(room, { name, topic, meta });
  return !same;
}

const ENDS = { 'room.updated': undefined, 'room.archived': 'archived', 'room.deleted': 'deleted' } as const;

/** Saves the room as it now is, and tells its log. */
async function recordState(tx: LogTransaction, event: keyof typeof ENDS): Promise<void> {
  const { id, name, topic, meta, archivedAt, deletedAt } = tx.room;
  const state = { name, topic, meta: meta as QueryDeepPartialEntity<Meta>, archivedAt, deletedAt };
  await tx.manager.update(RoomEntity, { id }, state);
  const ends = ENDS[event];
  tx.record(event, { user: null, ...(ends && { ends }), data: () => ({ room: roomView(tx.room) }) });
}
