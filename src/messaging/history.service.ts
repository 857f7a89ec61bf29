import { Injectable } from '@nestjs/common';
import { Sql } from '../database/sql.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import { messageView } from '../log/message.entity.js';
import { RoomReplay } from '../log/room-replay.js';
import { LIMITS, type Message } from '../protocol/index.js';
import { RoomAccess } from '../rooms/access.service.js';
import { refusal } from '../rooms/room-access.js';
import { MESSAGE_PAGE, type MessagePageRow } from './history-statements.js';
import { messageNotFound, type MessageName } from './message-edits.service.js';
import { ENVELOPE_BYTES, type MessagePage, type PageBounds, takePage } from './message-page.js';

export interface HistoryQuery {
  room: string;
  /** At most one of the three; without any, the newest page. */
  before?: number | undefined;
  after?: number | undefined;
  around?: number | undefined;
  limit?: number | undefined;
}

export interface LogPlace {
  epoch: string;
  firstSeq: number;
  headSeq: number;
}

export interface EventPage extends LogPlace {
  /** Whole frames as JSON texts. */
  events: string[];
}

/** Reads of what a room holds. All are for members, and for anybody who is not banned where the room is public. */
@Injectable()
export class HistoryService {
  constructor(
    private readonly sql: Sql,
    private readonly access: RoomAccess,
    private readonly replay: RoomReplay,
  ) {}

  /**
   * A page of messages, deleted ones included, ascending by `seq`: those nearest to the point asked for, `before` and `after` without
   * it, `around` with it. It ends early at `LIMITS.pageBytes`, but has at least one message where there is one.
   * @throws {ChatError} not_found, forbidden
   */
  async page(
    user: string,
    { room, before, after, around, limit: items = LIMITS.pageItemsDefault }: HistoryQuery,
  ): Promise<MessagePage & LogPlace> {
    const bounds = { items, bytes: LIMITS.pageBytes };
    if (after !== undefined) return this.#read(user, room, after + 1, { side: 'newer', ...bounds });
    if (around !== undefined) return this.#read(user, room, around, { side: 'both', ...bounds });
    return this.#read(user, room, before ?? Number.MAX_SAFE_INTEGER, { side: 'older', ...bounds });
  }

  /** One message as it stands. @throws {ChatError} not_found, forbidden */
  async message(user: string, { room, seq }: MessageName): Promise<Message> {
    const { messages } = await this.#read(user, room, seq, { side: 'newer', items: 1, bytes: LIMITS.pageBytes });
    if (messages[0]?.seq !== seq) throw messageNotFound();
    return messages[0];
  }

  /**
   * The next durable events behind `after` (else from the oldest kept), without a gap, each as it was sent but for messages, which are
   * shown as they stand. Ends early at `LIMITS.pageBytes`, but has at least one event where there is one.
   * @throws {ChatError} not_found, forbidden; unrecoverable when events behind `after` are no longer kept
   */
  async events(user: string, room: string, after: number | undefined, limit: number = LIMITS.eventPageItems): Promise<EventPage> {
    const { firstSeq, headSeq } = (await this.access.require(user, room, 'room.read')).room;
    const start = after ?? firstSeq - 1;
    if (start < firstSeq - 1) throw new ChatError('unrecoverable', `Events are kept from seq ${firstSeq} on only.`);
    const page = await this.replay.eventsAfter(room, start, limit, LIMITS.pageBytes);
    if (!page) throw roomNotFound();
    // What the log has gained since may have ended the user's access.
    if (page.headSeq !== headSeq) await this.access.require(user, room, 'room.read');
    const events = withinBytes(page.events.map(({ json }) => json));
    return { events, epoch: page.epoch, firstSeq, headSeq: page.headSeq };
  }

  async #read(user: string, room: string, point: number, bounds: PageBounds): Promise<MessagePage & LogPlace> {
    // One more than is wanted tells whether there is more.
    const wanted = { older: bounds.side === 'newer' ? 0 : bounds.items, newer: bounds.side === 'older' ? 0 : bounds.items };
    const values = [room, user, point, wanted.older + 1, wanted.newer + 1, bounds.bytes];
    const rows = await this.sql.query<MessagePageRow>(MESSAGE_PAGE, values);
    const [first] = rows;
    if (!first) throw roomNotFound();
    const refused = refusal('room.read', { room: first, role: first.role, banned: first.banned });
    if (refused) throw refused;
    const messages = rows.flatMap((row) => (row.seq === null ? [] : [messageOf(row)]));
    const older = messages.filter(({ seq }) => seq < point).reverse();
    const newer = messages.filter(({ seq }) => seq >= point);
    const place = { epoch: first.epoch, firstSeq: Number(first.first_seq), headSeq: Number(first.head_seq) };
    return { ...takePage({ older, newer }, bounds), ...place };
  }
}

function messageOf(row: MessagePageRow): Message {
  return messageView({
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
}

// The log measures what it stores; what JSON escapes takes more.
function withinBytes(events: string[]): string[] {
  let left = LIMITS.pageBytes - ENVELOPE_BYTES;
  const end = events.findIndex((json, index) => (left -= Buffer.byteLength(json) + 1) < 0 && index > 0);
  return end < 0 ? events : events.slice(0, end);
}
