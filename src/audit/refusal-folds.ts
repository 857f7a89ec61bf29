import type { AuditEntry } from './audit-entry.js';
import { RefusalWindow } from './refusal-window.js';

const WINDOW_MS = 10_000;

/**
 * Keeps a flood of refusals from filling the audit log, and from hiding those of others. In each window of ten seconds some have a row, by
 * the laws of `RefusalWindow`; the rest is counted, and the counts go out as rows when the window ends.
 */
export class RefusalFolds {
  #window = new RefusalWindow();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param write takes the rows that stand for what was counted */
  constructor(private readonly write: (entry: AuditEntry) => void) {}

  /** Whether the entry was counted, so that it needs no row of its own. */
  isFolded(entry: AuditEntry): boolean {
    if (this.#isClosed) return false;
    this.#timer ??= setTimeout(() => this.end(), WINDOW_MS).unref();
    return this.#window.isFolded(entry);
  }

  /** Ends the window. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = this.#window;
    this.#window = new RefusalWindow();
    for (const count of ended.counts()) this.write(count);
  }

  /** From now on each has a row of its own: nothing would come to write what was counted. */
  close(): void {
    this.#isClosed = true;
  }
}
