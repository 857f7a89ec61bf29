interface Placed {
  seq: number;
  frame: Buffer;
}

const MAX_BYTES = 1_048_576;
/** What keeping an entry costs beside its frame. */
const ENTRY_BYTES = 200;

/**
 * What came of a log ahead of its turn. Bounded in bytes: beyond, the farthest are dropped, and come back when the log is read up to
 * them.
 */
export class Ahead<Entry extends Placed> {
  readonly #entries = new Map<number, Entry>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  put(entry: Entry): void {
    if (this.#entries.has(entry.seq)) return;
    this.#entries.set(entry.seq, entry);
    this.#bytes += weightOf(entry);
    if (this.#bytes > MAX_BYTES) this.#dropFarthest();
  }

  /** @returns the entry of that seq, which is no longer here; undefined when it was not */
  take(seq: number): Entry | undefined {
    const entry = this.#entries.get(seq);
    if (!entry) return undefined;
    this.#entries.delete(seq);
    this.#bytes -= weightOf(entry);
    return entry;
  }

  dropUpTo(seq: number): void {
    for (const placed of this.#entries.keys()) if (placed <= seq) this.take(placed);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  // Down to half, so that a long flood is not sorted for each of its entries.
  #dropFarthest(): void {
    for (const seq of [...this.#entries.keys()].sort((one, other) => other - one)) {
      if (this.#bytes <= MAX_BYTES / 2) return;
      this.take(seq);
    }
  }
}

function weightOf({ frame }: Placed): number {
  return ENTRY_BYTES + frame.length;
}
