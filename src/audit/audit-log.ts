import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { Batcher } from '../database/batcher.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { APPEND_AUDIT, storedEntry } from './append-statement.js';
import type { AuditEntry } from './audit-entry.js';
import { RefusalFolds } from './refusal-folds.js';

const MAX_BATCH = 200;
const MAX_WAITING = 10_000;

/**
 * The append-only log of what administrators did, and of who was refused. Rows are numbered without a hole, in the order of their commit
 * on all instances, and chained: each row's hash covers the hash of the row before.
 */
@Injectable()
export class AuditLog implements OnModuleDestroy {
  readonly #logger = new Logger('Audit');
  readonly #folds = new RefusalFolds((entry) => void this.#append(entry).catch((error: unknown) => this.#lost(entry, error)));
  readonly #batches: Batcher<string, undefined>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(sql: Sql) {
    this.#batches = new Batcher(
      async (rows) => {
        await sql.query(APPEND_AUDIT, [`[${rows.join(',')}]`]);
        return rows.map(() => undefined);
      },
      { maxItems: MAX_BATCH, maxWaiting: MAX_WAITING, overflow: () => new ChatError('unavailable', 'The audit log cannot be written.') },
    );
  }

  /**
   * Resolves when the entry is committed. Refusals (`denied`, and whatever nobody known did) are bounded: of many, the first of each actor,
   * address and network have a row each, and the rest are counted in rows with `details.folded`, some seconds later; they resolve at once.
   * @throws {ChatError} unavailable (certainly not written), timeout
   */
  async record(entry: AuditEntry): Promise<void> {
    const isRefusal = entry.outcome === 'denied' || entry.actor.kind === 'anonymous';
    if (isRefusal && this.#folds.isFolded(entry)) return;
    await this.#append(entry);
  }

  /** For what stands whether or not it can be written, such as a refusal: a failure to write is logged, with the entry. Never rejects. */
  async note(entry: AuditEntry): Promise<void> {
    await this.record(entry).catch((error: unknown) => this.#lost(entry, error));
  }

  /** Resolves when all that was recorded or counted so far is written. */
  async flush(): Promise<void> {
    this.#folds.end();
    // Entries are written in order: with the last one, all are done.
    await this.#last.catch(() => undefined);
  }

  /** What is still refused while the server lets its clients go is written one by one. */
  async onModuleDestroy(): Promise<void> {
    this.#folds.close();
    await this.flush();
  }

  async #append(entry: AuditEntry): Promise<void> {
    const added = this.#batches.add(storedEntry(entry));
    this.#last = added;
    await added;
  }

  #lost(entry: AuditEntry, error: unknown): void {
    this.#logger.error({ err: error, entry }, 'An entry of the audit log could not be written');
  }
}
