import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Sql, type Statement } from '../database/sql.js';

const POLL_MS = 1_000;
const CLEAN_MS = 15_000;
const KEEP_SECONDS = 60;

// A row may become visible after a later one, when its transaction took longer: so the next poll begins at the oldest transaction
// that was still under way, not behind the newest row. Rows come again; nothing is skipped.
const POLL: Statement = {
  name: 'poll_changes',
  text: `SELECT c.payload, pg_snapshot_xmin(pg_current_snapshot())::text AS next
    FROM (SELECT 1) one LEFT JOIN changes c ON c.xid >= $1::text::xid8 AND c.kind = 'heads'`,
};

const START: Statement = { name: 'start_changes', text: 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS next' };

const CLEAN: Statement = {
  name: 'clean_changes',
  text: `DELETE FROM changes WHERE ctid = ANY (ARRAY(SELECT ctid FROM changes WHERE at < clock_timestamp() - $1 * interval '1 second' LIMIT 10000))`,
};

/** Called with each room that grew and a head that its log has reached; a head may come late and more than once. */
export type HeadsListener = (heads: ReadonlyMap<string, number>) => void;

/**
 * Learns from PostgreSQL itself, each second, which logs grew: also of a commit whose answer was lost. While the database cannot be read
 * nobody is told; afterwards all of it comes, since only a feed that reads removes what is old.
 */
@Injectable()
export class ChangesFeed implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(ChangesFeed.name);
  readonly #listeners = new Set<HeadsListener>();
  #next: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #cleanedAt = 0;
  #isFailing = false;
  #isStopped = false;

  constructor(private readonly sql: Sql) {}

  async onApplicationBootstrap(): Promise<void> {
    this.#next = (await this.sql.query<{ next: string }>(START, []))[0]!.next;
    this.#schedule();
  }

  onApplicationShutdown(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  listen(listener: HeadsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#poll().finally(() => this.#schedule()), POLL_MS);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    try {
      const rows = await this.sql.query<{ payload: Record<string, number> | null; next: string }>(POLL, [this.#next]);
      this.#next = rows[0]!.next;
      this.#tell(rows.flatMap(({ payload }) => (payload ? [payload] : [])));
      await this.#clean();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#logger.warn(`The changes cannot be read; trying again each second: ${(error as Error).message}`);
      this.#isFailing = true;
    }
  }

  #tell(payloads: Record<string, number>[]): void {
    if (payloads.length === 0) return;
    const heads = new Map<string, number>();
    for (const payload of payloads) {
      for (const [room, head] of Object.entries(payload)) heads.set(room, Math.max(head, heads.get(room) ?? 0));
    }
    for (const listener of this.#listeners) listener(heads);
  }

  async #clean(): Promise<void> {
    const now = performance.now();
    if (now - this.#cleanedAt < CLEAN_MS) return;
    this.#cleanedAt = now;
    await this.sql.query(CLEAN, [KEEP_SECONDS]);
  }
}
