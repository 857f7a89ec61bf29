import type { EntityManager } from 'typeorm';
import type { Act, LogEvent, RecordedAct, RoomBus } from '../bus/room-bus.js';
import type { Acts } from '../changes/acts.js';
import { type DurableEvent, type DurableEvents, durableJson, textFrame } from '../protocol/index.js';
import type { Span } from '../telemetry/tracing.js';
import { beginPublishing } from './log-spans.js';
import { RoomEntity } from './room.entity.js';
import { RoomEventEntity } from './room-event.entity.js';
import type { LogTransaction, Recording } from './room-log.js';

/** What one transaction under a room's lock has recorded, until it is saved, and after the commit published. */
export class PendingTransaction implements LogTransaction {
  readonly at: Date;
  readonly #rows: RoomEventEntity[] = [];
  readonly #events: LogEvent[] = [];
  readonly #acts: Act[] = [];
  #recorded: RecordedAct[] = [];

  constructor(
    readonly manager: EntityManager,
    readonly room: RoomEntity,
    now: Date,
  ) {
    this.at = now > room.lastAt ? now : room.lastAt;
  }

  record<E extends DurableEvent>(event: E, recording: Recording<E>): number {
    const { user, ends = null, messageSeq = null } = recording;
    const seq = ++this.room.lastSeq;
    this.room.lastAt = this.at;
    const data: DurableEvents[E] = typeof recording.data === 'function' ? recording.data(seq) : recording.data;
    const kept = messageSeq === null ? data : null;
    this.#rows.push({ roomId: this.room.id, seq, event, at: this.at, userId: user, ends, messageSeq, data: kept });
    const frame = textFrame(durableJson(event, this.room.id, seq, this.at.toISOString(), data));
    this.#events.push({ seq, event, user, ends, frame });
    if (ends !== null && user !== null) this.announce({ kind: 'room.removed', users: [user], room: this.room.id, reason: ends });
    return seq;
  }

  announce(act: Act): void {
    this.#acts.push(act);
  }

  /** Writes the events, the room's new head, and the changes that other instances learn all of it by. */
  async save(): Promise<void> {
    if (this.#rows.length > 0) await this.#saveEvents();
    if (this.#acts.length > 0) await this.#saveActs();
  }

  /** @param span what it was made under, when it is traced */
  publish(bus: RoomBus, acts: Acts, span: Span | undefined): void {
    const { id: room, epoch, lastSeq: headSeq } = this.room;
    const publishing = span && beginPublishing(span, room, this.#events);
    if (this.#events.length > 0) bus.publishNote({ room, epoch, headSeq, events: this.#events });
    publishing?.forEach((one) => one.end());
    for (const recorded of this.#recorded) acts.publish(recorded);
  }

  async #saveEvents(): Promise<void> {
    const { id, lastSeq, lastAt } = this.room;
    await this.manager.insert(RoomEventEntity, this.#rows);
    await this.manager.update(RoomEntity, { id }, { lastSeq, lastAt });
    await this.manager.query(`INSERT INTO changes (kind, payload) VALUES ('heads', jsonb_build_object($1::text, $2::bigint))`, [
      id,
      lastSeq,
    ]);
  }

  async #saveActs(): Promise<void> {
    const rows = await this.manager.query<{ act: RecordedAct }[]>(
      `SELECT record_act_v1(a.value) AS act FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY a ORDER BY a.ordinality`,
      [JSON.stringify(this.#acts)],
    );
    this.#recorded = rows.map(({ act }) => act);
  }
}
