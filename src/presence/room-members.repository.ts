import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Batcher } from '../database/batcher.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { LIMITS } from '../protocol/index.js';
import { PresenceStore } from './presence-store.js';

/** A room's members at one place of its log. */
export interface MembersRead {
  epoch: string;
  headSeq: number;
  /** In order of their ids; null in a large room. */
  members: string[] | null;
}

/** Visibly online members of a large room: how many, and some of them. */
export interface OnlineMembers {
  count: number;
  sample: string[];
}

const SAMPLE_SIZE = 200;

// Membership changes under the room's lock, together with its head: so one statement sees both at the same place of the log.
const READ_MEMBERS: Statement = {
  name: 'presence_members',
  text: `SELECT r.id, r.epoch, r.last_seq,
      CASE WHEN r.member_count <= $2 THEN ARRAY(SELECT m.user_id FROM memberships m WHERE m.room_id = r.id ORDER BY m.user_id) END AS members
    FROM rooms r WHERE r.id = ANY ($1::uuid[]) AND r.deleted_at IS NULL`,
};

const COUNT_AMONG: Statement = {
  name: 'presence_count_among',
  text: `SELECT m.room_id, count(*)::integer AS count, (array_agg(m.user_id))[1:$3] AS sample
    FROM memberships m WHERE m.room_id = ANY ($1::uuid[]) AND m.user_id = ANY ($2::text[])
    GROUP BY m.room_id`,
};

const overflow = () => new ChatError('unavailable', 'Too many watches begin at once.', { retryAfterMs: 1000 });

/** Who is in a room, read in batches. What a call resolves with was read after the call was made. */
@Injectable()
export class RoomMembers {
  readonly #reads = new Batcher<string, MembersRead | null>((rooms) => this.#readAll(rooms), {
    maxItems: 500,
    maxWaiting: 50_000,
    overflow,
  });
  readonly #counts = new Batcher<string, OnlineMembers>((rooms) => this.#countAll(rooms), {
    maxItems: 100,
    maxWaiting: 50_000,
    overflow,
  });
  /** What was counted among many. */
  readonly #counted = new LRUCache<string, OnlineMembers>({ max: 10_000 });

  constructor(
    private readonly sql: Sql,
    private readonly store: PresenceStore,
  ) {}

  /** @returns null when there is no such room. @throws {ChatError} unavailable, timeout */
  read(room: string): Promise<MembersRead | null> {
    return this.#reads.add(room);
  }

  /**
   * Goes through all online users, once for all rooms that are asked for meanwhile. Where they are some thousands, an answer may be as old
   * as nine times what counting takes: so a tenth of the time at most is spent on it. @throws {ChatError} unavailable, timeout
   */
  async online(room: string): Promise<OnlineMembers> {
    return this.#counted.get(room) ?? this.#counts.add(room);
  }

  async #readAll(rooms: string[]): Promise<(MembersRead | null)[]> {
    const rows = await this.sql.query<{ id: string; epoch: string; last_seq: string; members: string[] | null }>(READ_MEMBERS, [
      [...new Set(rooms)],
      LIMITS.largeRoom,
    ]);
    const reads = new Map(rows.map(({ id, epoch, last_seq, members }) => [id, { epoch, headSeq: Number(last_seq), members }]));
    return rooms.map((room) => reads.get(room) ?? null);
  }

  async #countAll(rooms: string[]): Promise<OnlineMembers[]> {
    const began = performance.now();
    let parts = 0;
    const online = new Map(rooms.map((room) => [room, { count: 0, sample: [] as string[] }]));
    for await (const users of this.store.online()) {
      parts++;
      const rows = await this.sql.query<OnlineMembers & { room_id: string }>(COUNT_AMONG, [[...online.keys()], users, SAMPLE_SIZE]);
      for (const { room_id, count, sample } of rows) {
        const members = online.get(room_id)!;
        members.count += count;
        members.sample.push(...sample.slice(0, SAMPLE_SIZE - members.sample.length));
      }
    }
    const tookMs = performance.now() - began;
    if (parts > 1) for (const [room, members] of online) this.#counted.set(room, members, { ttl: 9 * tookMs });
    return rooms.map((room) => online.get(room)!);
  }
}
