import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Act, RecordedAct } from '../bus/room-bus.js';
import { Sql } from '../database/sql.js';
import { type ChangeRow, CLEAN_CHANGES, POLL_CHANGES, START_CHANGES } from './changes-statements.js';

const POLL_MS = 1_000;
const CLEAN_MS = 15_000;
/** Changes are kept for so long after this instance has read them, that the others have read them too. */
const KEEP_MS = 60_000;
/** Who has not read for so long no longer knows what has ended. */
const CURRENT_MS = 10_000;

export interface ChangesListener {
  /** Rooms whose logs grew, each with a head that its log has reached. May come late, and more than once. */
  onHeads?(heads: ReadonlyMap<string, number>): void;
  /** Acts, in the order of their transactions' numbers. May come late, and more than once. */
  onActs?(acts: readonly RecordedAct[]): void;
  /** Changes were removed before this instance could read them: what it knows is not to be trusted, and is to be read anew. */
  onMissed?(): void;
}

/**
 * Learns from PostgreSQL itself, each second, what no hint told of: which logs grew, and which acts were committed, also by a commit whose
 * answer was lost. Nothing is skipped. While the database cannot be read nobody is told; afterwards all of it comes, or `onMissed`.
 */
@Injectable()
export class ChangesFeed implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(ChangesFeed.name);
  readonly #listeners = new Set<ChangesListener>();
  #started: Promise<void> | undefined;
  /** The snapshot of the last poll. */
  #last = '';
  /** Of each poll since the last failed one, oldest first: from which transaction on there may have been something that it read. */
  #read: { at: number; oldest: bigint }[] = [];
  #readAt = 0;
  #cleanedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #isStopped = false;

  constructor(private readonly sql: Sql) {}

  /** From when this resolves nothing is missed that is committed afterwards: call it before reading what the changes are about. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.start();
    this.#schedule();
  }

  onApplicationShutdown(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Whether what was read is new enough to let somebody in by it. */
  get isCurrent(): boolean {
    return performance.now() - this.#readAt < CURRENT_MS;
  }

  listen(listener: ChangesListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #start(): Promise<void> {
    const [row] = await this.sql.query<{ next: string }>(START_CHANGES, []);
    this.#last = row!.next;
    this.#readAt = performance.now();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#poll().finally(() => this.#schedule()), POLL_MS);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    try {
      const rows = await this.sql.query<ChangeRow>(POLL_CHANGES, [this.#last]);
      const { next, horizon } = rows[0]!;
      const from = oldestOf(this.#last);
      this.#last = next;
      this.#readAt = performance.now();
      this.#tell(rows);
      // A number that went back is another history: the database was restored.
      if (BigInt(horizon) > from || oldestOf(next) < from) this.#missed();
      this.#read.push({ at: this.#readAt, oldest: from });
      await this.#clean();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#logger.warn(`The changes cannot be read; trying again each second: ${(error as Error).message}`);
      this.#isFailing = true;
      // The others may not have read either.
      this.#read = [];
    }
  }

  #tell(rows: readonly ChangeRow[]): void {
    const heads = new Map<string, number>();
    const acts: RecordedAct[] = [];
    for (const { kind, id, xid, payload } of rows) {
      if (kind === 'act') acts.push({ id: id!, xid: xid!, act: payload as Act });
      else if (kind === 'heads') {
        for (const [room, head] of Object.entries(payload as Record<string, number>)) heads.set(room, Math.max(head, heads.get(room) ?? 0));
      }
    }
    for (const listener of this.#listeners) {
      if (heads.size > 0) listener.onHeads?.(heads);
      if (acts.length > 0) listener.onActs?.(acts);
    }
  }

  #missed(): void {
    this.#logger.error('Changes were missed: this instance was cut off for longer than they are kept.');
    for (const listener of this.#listeners) listener.onMissed?.();
  }

  async #clean(): Promise<void> {
    const now = performance.now();
    if (now - this.#cleanedAt < CLEAN_MS) return;
    this.#cleanedAt = now;
    const firstKept = this.#read.findIndex(({ at }) => at > now - KEEP_MS);
    if (firstKept <= 0) return;
    await this.sql.query(CLEAN_CHANGES, [String(this.#read[firstKept - 1]!.oldest)]);
    this.#read.splice(0, firstKept);
  }
}

/** @param snapshot as PostgreSQL writes it: "xmin:xmax:…" */
function oldestOf(snapshot: string): bigint {
  return BigInt(snapshot.slice(0, snapshot.indexOf(':')));
}
