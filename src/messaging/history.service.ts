import { Injectable } from '@nestjs/common';
import { Sql } from '../database/sql.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import { RoomReplay } from '../log/room-replay.js';
import { LIMITS, type Message } from '../protocol/index.js';
import { RoomAccess } from '../rooms/access.service.js';
import { refusal } from '../rooms/room-access.js';
import { MESSAGE_PAGE, type MessagePageRow } from './history-statements.js';
import { messageNotFound, type MessageName } from './message-changes.js';

export interface HistoryQuery {
  room: string;
  /** At most one of the three; without any, the newest page. */
  before?: number | undefined;
  after?: number | undefined;
  around?: number | undefined;
  limit?: number | undefined;
}

/** From where a page may take; `both` takes in turn, so that the point is in the middle. */
type Side = 'older' | 'newer' | 'both';

/** What surrounds the messages in an answer: names, numbers, the frame of an ack. */
const ENVELOPE_BYTES = 512;

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
   * @returns the JSON of a `HistoryBody`
   * @throws {ChatError} not_found, forbidden
   */
  async page(user: string, { room, before, after, around, limit = LIMITS.pageItemsDefault }: HistoryQuery): Promise<string> {
    const row = await (after !== undefined
      ? this.#read(user, room, after + 1, 'newer', limit)
      : around !== undefined
        ? this.#read(user, room, around, 'both', limit)
        : this.#read(user, room, before ?? Number.MAX_SAFE_INTEGER, 'older', limit));
    const { epoch, first_seq: firstSeq, head_seq: headSeq, has_before: hasBefore, has_after: hasAfter } = row;
    const rest = JSON.stringify({ epoch, firstSeq: Number(firstSeq), headSeq: Number(headSeq), hasBefore, hasAfter });
    return `{"messages":[${row.messages}],${rest.slice(1)}`;
  }

  /** One message as it stands. @throws {ChatError} not_found, forbidden */
  async message(user: string, { room, seq }: MessageName): Promise<Message> {
    const row = await this.#read(user, room, seq, 'newer', 1);
    const [message] = JSON.parse(`[${row.messages}]`) as Message[];
    if (message?.seq !== seq) throw messageNotFound();
    return message;
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

  async #read(user: string, room: string, point: number, side: Side, items: number): Promise<MessagePageRow> {
    const wantsOlder = side !== 'newer';
    const wantsNewer = side !== 'older';
    // One more than is wanted tells whether there is more.
    const counts = [wantsOlder ? items + 1 : 1, wantsNewer ? items + 1 : 1];
    const values = [room, user, point, ...counts, LIMITS.pageBytes - ENVELOPE_BYTES, items, wantsOlder, wantsNewer];
    const [row] = await this.sql.query<MessagePageRow>(MESSAGE_PAGE, values);
    if (!row) throw roomNotFound();
    const refused = refusal('room.read', { room: row, role: row.role, banned: row.banned });
    if (refused) throw refused;
    return row;
  }
}

// The log measures what it stores; what JSON escapes takes more.
function withinBytes(events: string[]): string[] {
  let left = LIMITS.pageBytes - ENVELOPE_BYTES;
  const end = events.findIndex((json, index) => (left -= Buffer.byteLength(json) + 1) < 0 && index > 0);
  return end < 0 ? events : events.slice(0, end);
}
