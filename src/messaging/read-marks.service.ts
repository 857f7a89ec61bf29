import { Injectable } from '@nestjs/common';
import { Batcher } from '../database/batcher.js';
import { Sql } from '../database/sql.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import { LIMITS } from '../protocol/index.js';
import { refusal } from '../rooms/room-access.js';
import { type ReadMarkRow, SET_READ_MARKS } from './read-mark-statements.js';
import { ReadReceipts } from './read-receipts.service.js';

export interface ReadMark {
  readSeq: number;
  /** Undeleted messages of others behind the mark; stops at `LIMITS.unreadMax`. */
  unread: number;
}

interface Ask {
  user: string;
  room: string;
  seq: number;
}

/** Up to where each member has read. */
@Injectable()
export class ReadMarks {
  readonly #asks = new Batcher<Ask, ReadMark>((asks) => this.#setAll(asks), {
    maxItems: 200,
    maxWaiting: 50_000,
    overflow: () => new ChatError('unavailable', 'Too many read marks are waiting to be stored.', { retryAfterMs: 1000 }),
  });

  constructor(
    private readonly sql: Sql,
    private readonly receipts: ReadReceipts,
  ) {}

  /**
   * Moves the mark to `seq`, never back and never beyond the head of the log. Who may know of it is told.
   * @returns where the mark is
   * @throws {ChatError} not_found, forbidden, unavailable, timeout
   */
  set(user: string, room: string, seq: number): Promise<ReadMark> {
    return this.#asks.add({ user, room, seq });
  }

  async #setAll(asks: Ask[]): Promise<(ReadMark | ChatError)[]> {
    // Of several asks of one user about one room the furthest is all of them.
    const furthest = new Map<string, Ask>();
    for (const ask of asks) {
      const other = furthest.get(keyOf(ask));
      if (!other || other.seq < ask.seq) furthest.set(keyOf(ask), ask);
    }
    const once = [...furthest.values()];
    const values = [once.map(({ room }) => room), once.map(({ user }) => user), once.map(({ seq }) => seq), LIMITS.unreadMax];
    const rows = await this.sql.query<ReadMarkRow>(SET_READ_MARKS, values);
    const outcomes = new Map<string, ReadMark | ChatError>();
    for (const row of rows) {
      const ask = once[Number(row.ord) - 1]!;
      outcomes.set(keyOf(ask), this.#outcome(ask, row));
    }
    return asks.map((ask) => outcomes.get(keyOf(ask)) ?? roomNotFound());
  }

  #outcome({ user, room }: Ask, row: ReadMarkRow): ReadMark | ChatError {
    // A banned user has no membership, and without one nobody has a mark.
    const refused = refusal('read.set', { room: row, role: row.role, banned: false });
    if (refused) return refused;
    const readSeq = Number(row.read_seq);
    if (row.moved && row.member_count <= LIMITS.largeRoom) this.receipts.tell(user, room, readSeq);
    return { readSeq, unread: row.unread };
  }
}

function keyOf({ room, user }: Ask): string {
  return `${room} ${user}`;
}
