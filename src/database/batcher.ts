interface Waiting<In, Out> {
  item: In;
  bytes: number;
  resolve: (result: Out) => void;
  reject: (error: unknown) => void;
}

export interface BatcherOptions<In> {
  /** Items in one batch, at most. */
  maxItems: number;
  /** Weight of one batch, at most (a single heavier item goes alone); with `bytesOf`. */
  maxBytes?: number;
  bytesOf?: (item: In) => number;
  /** Items that may wait; one more is refused by `overflow`. */
  maxWaiting: number;
  overflow: () => Error;
}

/**
 * Natural batching: while one batch is under way, what comes gathers, and goes together in the next. There is no timer, so an idle
 * batcher adds no delay, and under load the batches grow by themselves.
 *
 * Items are handed on in the order of `add`, one batch at a time. What is added in one turn of the event loop goes in one batch.
 */
export class Batcher<In, Out> {
  #waiting: Waiting<In, Out>[] = [];
  #running = false;

  /** @param run answers a batch: one result for each item, in order; an `Error` in a result's place rejects that item alone. */
  constructor(
    private readonly run: (items: In[]) => Promise<(Out | Error)[]>,
    private readonly options: BatcherOptions<In>,
  ) {}

  /** @returns the item's own result. Rejects with `overflow()` at once when too many wait: the item was not run. */
  add(item: In): Promise<Out> {
    if (this.#waiting.length >= this.options.maxWaiting) return Promise.reject(this.options.overflow());
    return new Promise<Out>((resolve, reject) => {
      this.#waiting.push({ item, bytes: this.options.bytesOf?.(item) ?? 0, resolve, reject });
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
      const batch = this.#take();
      try {
        const results = await this.run(batch.map(({ item }) => item));
        batch.forEach(({ resolve, reject }, index) => {
          const result = results[index];
          if (result instanceof Error) reject(result);
          else resolve(result as Out);
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
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
