interface Waiting<In, Out> {
  item: In;
  bytes: number;
  resolve: (result: Out) => void;
  reject: (error: unknown) => void;
}

/** In a result's place: the item is not answered yet, and comes first in the next batch. */
export const LATER = Symbol('later');

export interface BatcherOptions<In> {
  /** Items in one batch, at most. */
  maxItems: number;
  /** Weight of one batch, at most (a single heavier item goes alone); with `bytesOf`. */
  maxBytes?: number;
  bytesOf?: (item: In) => number;
  /** Items that may wait; one more is refused by `overflow`. */
  maxWaiting: number;
  overflow: () => Error;
  /** For look-ups that may wait a moment: while `when` says so, a batch is not begun before `items` wait, or for `ms`. */
  gather?: { when: () => boolean; items: number; ms: number };
}

/**
 * Natural batching: while one batch is under way, what comes gathers, and goes together in the next. Without `gather` there is no timer,
 * so an idle batcher adds no delay, and under load the batches grow by themselves.
 *
 * Items are handed on in the order of `add`, one batch at a time. What is added in one turn of the event loop goes in one batch.
 */
export class Batcher<In, Out> {
  #waiting: Waiting<In, Out>[] = [];
  #running = false;
  #gathered: (() => void) | null = null;

  /**
   * @param run answers a batch: one result for each item, in order; an `Error` in a result's place rejects that item alone, `LATER` leaves
   * it waiting (not the first item of a batch: it would wait for ever).
   */
  constructor(
    private readonly run: (items: In[]) => Promise<(Out | Error | typeof LATER)[]>,
    private readonly options: BatcherOptions<In>,
  ) {}

  /** @returns the item's own result. Rejects with `overflow()` at once when too many wait: the item was not run. */
  add(item: In): Promise<Out> {
    if (this.#waiting.length >= this.options.maxWaiting) return Promise.reject(this.options.overflow());
    return new Promise<Out>((resolve, reject) => {
      this.#waiting.push({ item, bytes: this.options.bytesOf?.(item) ?? 0, resolve, reject });
      if (this.#gathered && this.#waiting.length >= this.options.gather!.items) this.#gathered();
      if (this.#running) return;
      this.#running = true;
      setImmediate(() => void this.#drain());
    });
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather();
      const batch = this.#take();
      try {
        this.#settle(batch, await this.run(batch.map(({ item }) => item)));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  #settle(batch: Waiting<In, Out>[], results: (Out | Error | typeof LATER)[]): void {
    const later: Waiting<In, Out>[] = [];
    batch.forEach((waiting, index) => {
      const result = results[index];
      if (result === LATER) later.push(waiting);
      else if (result instanceof Error) waiting.reject(result);
      else waiting.resolve(result as Out);
    });
    if (later.length > 0) this.#waiting.unshift(...later);
  }

  async #gather(): Promise<void> {
    const { gather } = this.options;
    if (!gather || this.#waiting.length >= gather.items || !gather.when()) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#gathered = resolve;
      timer = setTimeout(resolve, gather.ms);
    });
    clearTimeout(timer);
    this.#gathered = null;
  }

  #take(): Waiting<In, Out>[] {
    const { maxItems, maxBytes = Infinity } = this.options;
    let count = 0;
    let bytes = 0;
    while (count < this.#waiting.length && count < maxItems) {
      bytes += this.#waiting[count]!.bytes;
      if (count > 0 && bytes > maxBytes) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
