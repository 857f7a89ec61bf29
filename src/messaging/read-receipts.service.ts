import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { UserDirectory } from '../auth/user-directory.js';
import { RoomBus } from '../bus/room-bus.js';
import { Sql } from '../database/sql.js';
import { ephemeralFrame } from '../protocol/index.js';
import { DoubtfulReceipts, type Receipt } from './doubtful-receipts.js';
import { READ_MARKS } from './read-mark-statements.js';

const COALESCE_MS = 500;
const DOUBT_MS = 1_000;

/**
 * Tells of read marks by `read.updated`: the user's own connections at once, the others in the room within half a second, each mark's last
 * place only, and nothing of users who are invisible then. What the bus may have failed to carry is told again when it is well. Receipts are
 * hints: one may be lost, when the status of a user cannot be read.
 */
@Injectable()
export class ReadReceipts implements OnApplicationShutdown {
  readonly #logger = new Logger(ReadReceipts.name);
  #pending = new Map<string, Receipt>();
  /** Set from the first receipt that waits until those of its time are told. */
  #timer: NodeJS.Timeout | undefined;
  readonly #doubtful = new DoubtfulReceipts();
  #doubtTimer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    private readonly bus: RoomBus,
    private readonly directory: UserDirectory,
    private readonly sql: Sql,
  ) {}

  onApplicationShutdown(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#doubtTimer);
  }

  tell(user: string, room: string, seq: number): void {
    this.#publishFor(user, room, seq);
    this.#doubtful.keep({ user, room, seq }, performance.now());
    this.#doubtLater();
  }

  #publishFor(user: string, room: string, seq: number): void {
    const frame = ephemeralFrame('read.updated', { user, seq }, room);
    const key = `read ${room} ${user}`;
    this.bus.publishSignal({ audience: { kind: 'user', user }, frame, key });
    this.#pending.set(key, { user, room, seq });
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), COALESCE_MS);
  }

  #doubtLater(): void {
    if (!this.#ended) this.#doubtTimer ??= setTimeout(() => void this.#tellAgain(), DOUBT_MS).unref();
  }

  async #tellAgain(): Promise<void> {
    const due = this.#doubtful.due(this.bus.health().status === 'up', this.bus.droppedAt, performance.now());
    try {
      await this.#publishMarks(due);
    } catch {
      this.#doubtful.putBack(due, performance.now());
    }
    this.#doubtTimer = undefined;
    if (!this.#doubtful.isEmpty) this.#doubtLater();
  }

  // As they stand now: another instance may have moved them on.
  async #publishMarks(receipts: readonly Receipt[]): Promise<void> {
    if (receipts.length === 0) return;
    const keys = [receipts.map(({ room }) => room), receipts.map(({ user }) => user)];
    const marks = await this.sql.query<{ room_id: string; user_id: string; read_seq: string }>(READ_MARKS, keys);
    for (const { room_id: room, user_id: user, read_seq: seq } of marks) this.#publishFor(user, room, Number(seq));
  }

  // One at a time, so that no earlier place is told after a later one.
  async #flush(): Promise<void> {
    const receipts = this.#pending;
    this.#pending = new Map();
    try {
      await this.#publish(receipts);
    } catch (error) {
      this.#logger.warn(`Read receipts were not sent: ${(error as Error).message}`);
    }
    this.#timer = undefined;
    if (this.#pending.size > 0 && !this.#ended) this.#schedule();
  }

  async #publish(receipts: Map<string, Receipt>): Promise<void> {
    const statuses = await this.directory.statuses([...new Set([...receipts.values()].map(({ user }) => user))]);
    for (const [key, { user, room, seq }] of receipts) {
      if (statuses.get(user) === 'invisible') continue;
      const frame = ephemeralFrame('read.updated', { user, seq }, room);
      this.bus.publishSignal({ audience: { kind: 'room', room, exceptUser: user }, frame, key });
    }
  }
}
