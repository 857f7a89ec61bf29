export interface Receipt {
  user: string;
  room: string;
  seq: number;
}

/** A bus that fails is known to be down after less than this. */
const NOTICED_MS = 10_000;
/** When this instance hears again the others may need so long. */
const SETTLED_MS = 3_000;
/** Of more marks that were moved during an outage the oldest are forgotten: their users learn them when they next ask. */
const MAX_KEPT = 10_000;

/** The last receipt of each user and room as long as the bus may not have carried it to the other instances. Times are in ms, on one monotonic clock. */
export class DoubtfulReceipts {
  /** The longest kept first. */
  readonly #kept = new Map<string, Receipt & { at: number }>();
  /** When the bus last failed, as far as is known; null when what was kept then has been told again. */
  #failedAt: number | null = null;
  #droppedAt: number | null = null;

  get isEmpty(): boolean {
    return this.#kept.size === 0;
  }

  keep({ user, room, seq }: Receipt, now: number): void {
    const key = `${room} ${user}`;
    this.#kept.delete(key);
    this.#kept.set(key, { user, room, seq, at: now });
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
  }

  /**
   * To be called each second or so.
   * @param droppedAt when the bus last lost something: it may have been down between two calls
   * @returns what is to be told again: all that was kept, when the bus is well again
   */
  due(isUp: boolean, droppedAt: number | null, now: number): Receipt[] {
    if (droppedAt !== this.#droppedAt) this.#failedAt = this.#droppedAt = droppedAt;
    if (!isUp) this.#failedAt = now;
    if (this.#failedAt === null) {
      this.#forgetUpTo(now - NOTICED_MS);
      return [];
    }
    if (now - this.#failedAt < SETTLED_MS) return [];
    this.#failedAt = null;
    const due = [...this.#kept.values()];
    this.#kept.clear();
    return due;
  }

  /** Takes back what was due and could not be told, but for those who have a later one. */
  putBack(receipts: readonly Receipt[], now: number): void {
    for (const receipt of receipts) if (!this.#kept.has(`${receipt.room} ${receipt.user}`)) this.keep(receipt, now);
    this.#failedAt = now;
  }

  #forgetUpTo(then: number): void {
    for (const [key, { at }] of this.#kept) {
      if (at > then) return;
      this.#kept.delete(key);
    }
  }
}
