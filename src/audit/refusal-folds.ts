import type { AuditEntry } from './audit-entry.js';

const WINDOW_MS = 10_000;
/** Rows of one kind of refusal, by one actor from one address, in a window. */
const ROWS_EACH = 10;
/** Actors and addresses that are told apart in a window. */
const MAX_KINDS = 500;

interface Kind {
  rows: number;
  folded: number;
  /** What stands for those that were folded. */
  entry: AuditEntry;
}

/**
 * Keeps a flood of refusals from filling the audit log. In a window of ten seconds each kind of refusal has so many rows; what is over is
 * counted, and goes out as one row when the window ends. When more kinds come than are told apart, the rest are counted by action alone.
 */
export class RefusalFolds {
  readonly #kinds = new Map<string, Kind>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param write takes the row that stands for what was counted */
  constructor(private readonly write: (entry: AuditEntry) => void) {}

  /** Whether the entry was counted, so that it needs no row of its own. */
  isFolded(entry: AuditEntry): boolean {
    if (this.#isClosed) return false;
    this.#timer ??= setTimeout(() => this.end(), WINDOW_MS).unref();
    const kind = this.#kindOf(entry);
    if (kind.rows < ROWS_EACH) {
      kind.rows++;
      return false;
    }
    kind.folded++;
    return true;
  }

  /** Ends the window. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const kinds = [...this.#kinds.values()];
    this.#kinds.clear();
    for (const { folded, entry } of kinds) if (folded > 0) this.write({ ...entry, details: { folded } });
  }

  /** From now on each has a row of its own: nothing would come to write what was counted. */
  close(): void {
    this.#isClosed = true;
  }

  #kindOf(entry: AuditEntry): Kind {
    const { action, outcome, actor, address } = entry;
    const own = JSON.stringify([action, outcome, actor.kind, actor.id, address]);
    const known = this.#kinds.get(own);
    if (known) return known;
    if (this.#kinds.size < MAX_KINDS) return this.#add(own, entry);
    // Actions are the program's own and few: these keys are bounded too.
    const shared = JSON.stringify([action, outcome]);
    return this.#kinds.get(shared) ?? this.#add(shared, { ...entry, actor: { kind: 'anonymous', id: null }, address: null });
  }

  #add(key: string, { action, outcome, actor, address }: AuditEntry): Kind {
    const kind: Kind = { rows: 0, folded: 0, entry: { action, outcome, actor, target: null, address, requestId: null } };
    this.#kinds.set(key, kind);
    return kind;
  }
}
