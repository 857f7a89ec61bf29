import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type LogEvent, RoomBus, type RoomNote } from '../bus/room-bus.js';
import { mutedError } from '../auth/sanctions.js';
import { Acts } from '../changes/acts.js';
import { Config } from '../config/config.js';
import { Sql } from '../database/sql.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import { durableJson, LIMITS, textFrame } from '../protocol/index.js';
import { Metrics } from '../telemetry/metrics.js';
import { type Span, Tracer } from '../telemetry/tracing.js';
import { AppendLanes, type AppendOutcome } from './append-lanes.js';
import { APPEND_JOINS, APPEND_MESSAGES, type AppendJoinRow, type AppendMessageRow } from './append-statements.js';
import { beginCommits, beginPublishing, type Traced } from './log-spans.js';
import { firstVersion } from './message.entity.js';
import { PendingTransaction } from './pending-transaction.js';
import { BANNED_FROM_ROOM, MEMBERS_ONLY, ROOM_ARCHIVED, roomFull, tooManyRooms } from './refusal-words.js';
import { RoomEntity } from './room.entity.js';
import { RoomTurns } from './room-turns.js';
import { type AppendedMessage, type Joined, type LogTransaction, type MessageDraft, POSTING_ROLES, RoomLog } from './room-log.js';

interface JoinDraft extends Traced {
  room: string;
  user: string;
}

type TracedDraft = MessageDraft & Traced;

const LANES = 4;

/** The log in PostgreSQL. After each commit the room's note goes to the bus, then the callers are answered. */
@Injectable()
export class PgRoomLog extends RoomLog {
  readonly #messages = new AppendLanes<TracedDraft>({
    lanes: LANES,
    roomOf: (draft) => draft.room,
    bytesOf: (draft) => 200 + 2 * draft.text.length,
    commit: (drafts) => this.#commitMessages(drafts),
  });

  readonly #joins = new AppendLanes<JoinDraft>({
    lanes: 1,
    roomOf: (draft) => draft.room,
    bytesOf: () => 400,
    commit: (drafts) => this.#commitJoins(drafts),
  });

  readonly #turns: RoomTurns;

  constructor(
    private readonly sql: Sql,
    private readonly bus: RoomBus,
    private readonly acts: Acts,
    private readonly metrics: Metrics,
    private readonly tracer: Tracer,
    private readonly config: Config,
  ) {
    super();
    this.#turns = new RoomTurns(Math.floor(config.databasePool / 2));
  }

  override send(draft: MessageDraft): Promise<AppendedMessage> {
    return this.#messages.add(this.tracer.isOn ? { ...draft, span: this.tracer.current } : draft) as Promise<AppendedMessage>;
  }

  override join(room: string, user: string): Promise<Joined> {
    return this.#joins.add({ room, user, span: this.tracer.current }) as Promise<Joined>;
  }

  override transact<T>(room: string, work: (tx: LogTransaction) => Promise<T>): Promise<T> {
    const span = this.tracer.current;
    return this.#turns.run(room, async () => {
      const { result, pending } = await this.#traced([{ span }], () =>
        this.sql.transaction(async (manager) => {
          const pending = await lockRoom(manager, room);
          const result = await work(pending);
          await pending.save();
          return { result, pending };
        }),
      );
      pending.publish(this.bus, this.acts, span);
      return result;
    });
  }

  async #commitMessages(drafts: TracedDraft[]): Promise<AppendOutcome[]> {
    const began = performance.now();
    const values = [
      drafts.map((draft) => draft.room),
      drafts.map((draft) => draft.sender),
      drafts.map((draft) => draft.clientId),
      drafts.map((draft) => draft.text),
      drafts.map((draft) => JSON.stringify(draft.meta)),
      drafts.map((draft) => draft.barred !== undefined),
      POSTING_ROLES,
    ];
    const append = () => this.sql.query<AppendMessageRow>(APPEND_MESSAGES, values);
    const rows = await this.#traced(drafts, append).finally(() => this.#observe(drafts.length, began));
    const notes = new NoteBook();
    const outcomes = rows.map((row) => messageOutcome(row, drafts[row.ord - 1]!, notes));
    notes.publish(this.bus);
    return outcomes;
  }

  /** Runs a commit; of a traced draft, under a span of its own. */
  #traced<T>(drafts: readonly Traced[], commit: () => Promise<T>): Promise<T> {
    if (!this.tracer.isOn) return commit();
    const end = beginCommits(drafts, performance.now());
    const committed = commit();
    committed.then(() => end(), end);
    return committed;
  }

  #observe(messages: number, began: number): void {
    this.metrics.observe('batch', messages);
    this.metrics.observe('commit', (performance.now() - began) / 1_000);
  }

  async #commitJoins(drafts: JoinDraft[]): Promise<AppendOutcome[]> {
    const values = [
      drafts.map((draft) => draft.room),
      drafts.map((draft) => draft.user),
      LIMITS.largeRoom,
      this.config.roomMembersMax,
      this.config.roomsPerUser,
    ];
    const rows = await this.#traced(drafts, () => this.sql.query<AppendJoinRow>(APPEND_JOINS, values));
    const notes = new NoteBook();
    const outcomes = rows.map((row) => joinOutcome(row, drafts[row.ord - 1]!, notes, this.config));
    notes.publish(this.bus);
    for (const { act } of rows) if (act) this.acts.publish(act);
    return outcomes;
  }
}

async function lockRoom(manager: EntityManager, id: string): Promise<PendingTransaction> {
  const room = await manager
    .createQueryBuilder(RoomEntity, 'room')
    .setLock('for_no_key_update')
    .where('room.id = :id AND room.deleted_at IS NULL', { id })
    .getOne();
  if (!room) throw roomNotFound();
  const [clock] = await manager.query<{ now: Date }[]>('SELECT clock_timestamp()::timestamptz(3) AS now');
  return new PendingTransaction(manager, room, clock!.now);
}

function messageOutcome(row: AppendMessageRow, draft: TracedDraft, notes: NoteBook): AppendOutcome {
  switch (row.status) {
    case 'not_found':
      return roomNotFound();
    case 'forbidden':
      return new ChatError('forbidden', MEMBERS_ONLY);
    case 'barred':
      return draft.barred!;
    case 'muted':
      return mutedError(row.until, 'room');
    case 'archived':
      return new ChatError('conflict', ROOM_ARCHIVED);
  }
  const seq = Number(row.seq);
  const createdAt = row.at!.toISOString();
  if (row.status === 'created') {
    const message = firstVersion(draft, seq, createdAt);
    const frame = textFrame(durableJson('message.created', draft.room, seq, createdAt, message));
    notes.add(draft.room, row.epoch!, { seq, event: 'message.created', user: draft.sender, ends: null, frame }, draft.span);
  } else {
    // The first one's note may have been lost with the answer to its commit.
    notes.hint(draft.room, row.epoch!, seq);
  }
  return { seq, createdAt, duplicate: row.status === 'duplicate' };
}

function joinOutcome(row: AppendJoinRow, draft: JoinDraft, notes: NoteBook, config: Config): AppendOutcome {
  switch (row.status) {
    case 'not_found':
      return roomNotFound();
    case 'forbidden':
      return new ChatError('forbidden', BANNED_FROM_ROOM);
    case 'archived':
      return new ChatError('conflict', ROOM_ARCHIVED);
    case 'full':
      return new ChatError('conflict', roomFull(config.roomMembersMax));
    case 'too_many':
      return new ChatError('conflict', tooManyRooms(config.roomsPerUser));
  }
  if (row.seq !== null) {
    const seq = Number(row.seq);
    const data = { user: draft.user, role: row.role, by: draft.user };
    const frame = textFrame(durableJson('member.joined', draft.room, seq, row.at!.toISOString(), data));
    notes.add(draft.room, row.epoch!, { seq, event: 'member.joined', user: draft.user, ends: null, frame }, draft.span);
  }
  return { role: row.role };
}

/** Gathers what one commit added to each room. */
class NoteBook {
  readonly #notes = new Map<string, RoomNote & { events: LogEvent[] }>();
  readonly #publishing: Span[] = [];

  add(room: string, epoch: string, event: LogEvent, span: Span | undefined): void {
    if (span) this.#publishing.push(...beginPublishing(span, room, [event]));
    const note = this.#note(room, epoch);
    note.events.push(event);
    note.headSeq = Math.max(note.headSeq, event.seq);
  }

  hint(room: string, epoch: string, seq: number): void {
    const note = this.#note(room, epoch);
    note.headSeq = Math.max(note.headSeq, seq);
  }

  publish(bus: RoomBus): void {
    for (const note of this.#notes.values()) bus.publishNote(note);
    for (const span of this.#publishing) span.end();
  }

  #note(room: string, epoch: string): RoomNote & { events: LogEvent[] } {
    let note = this.#notes.get(room);
    if (!note) this.#notes.set(room, (note = { room, epoch, headSeq: 0, events: [] }));
    return note;
  }
}
