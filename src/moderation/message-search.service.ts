import { Injectable } from '@nestjs/common';
import { containing } from '../database/conditions.js';
import { Sql } from '../database/sql.js';
import { messageView } from '../log/message.entity.js';
import type { Message } from '../protocol/index.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';
import { SEARCH_MESSAGES, SEARCH_MESSAGES_OF, type SearchRow } from './message-statements.js';

export interface MessageFilter {
  room?: string | undefined;
  sender?: string | undefined;
  /** A part of the text, in any case. */
  text?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
  includeDeleted?: boolean | undefined;
}

export interface FoundMessage {
  room: string;
  message: Message;
}

/** What one page looks at, at most. */
const LOOKED_AT = 10_000;
/** How many rooms it visits for that; fewer where it looks for a time in each of them, some ten look-ups. */
const VISITED_ROOMS = 10_000;
const TIMED_ROOMS = 500;

/** Finds messages in all rooms, for moderators: without an index of texts, by walking rooms, so many of them and of their messages a page. */
@Injectable()
export class MessageSearch {
  constructor(private readonly sql: Sql) {}

  /**
   * By room, in a room the newest first. A page may have fewer items than `limit`, or none, and a `nextCursor` all the same: so much was
   * looked at, and there is more.
   */
  async find(filter: MessageFilter, { cursor, limit }: PageRequest): Promise<Page<FoundMessage>> {
    const { room = null, sender = null, text, from = null, to = null, includeDeleted = false } = filter;
    const pages = new PageCursor('message', 'search', JSON.stringify([room, sender, text ?? null, from, to, includeDeleted]));
    const [afterRoom, beforeSeq] = pages.read(cursor) ?? [null, null];
    const pattern = text === undefined ? null : containing(text);
    // Without a text all that is looked at is found.
    const lookedAt = pattern === null ? limit + 1 : LOOKED_AT;
    const visited = sender === null && (from ?? to) !== null ? TIMED_ROOMS : VISITED_ROOMS;
    const values = [sender, room, from, to, includeDeleted, afterRoom, beforeSeq, lookedAt, pattern, limit + 1, visited];
    const rows = await this.sql.query<SearchRow>(sender === null ? SEARCH_MESSAGES : SEARCH_MESSAGES_OF, values);
    const found = rows.filter((row): row is SearchRow & { room_id: string } => row.room_id !== null);
    const page = pages.page(found, limit, (row) => [row.room_id, Number(row.seq)], foundMessage);
    const [end] = rows;
    if (page.nextCursor === null && end?.end_room != null) page.nextCursor = pages.after([end.end_room, Number(end.end_seq)]);
    return page;
  }
}

function foundMessage(row: SearchRow & { room_id: string }): FoundMessage {
  const message = messageView({
    seq: Number(row.seq),
    lastSeq: Number(row.last_seq),
    senderId: row.sender_id,
    clientId: row.client_id,
    text: row.text,
    meta: row.meta,
    version: row.version,
    createdAt: row.created_at,
    editedAt: row.edited_at,
    deletedAt: row.deleted_at,
  });
  return { room: row.room_id, message };
}
