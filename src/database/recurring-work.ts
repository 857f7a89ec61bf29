/**
 * Work that each instance does again and again from `start` to `stop`, the next time a while after the last has ended, a little apart from
 * the other instances: or all would ask in the same moment. A failure is told once, until the work succeeds again.
 */
export class RecurringWork {
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isFailing = false;

  /** @param onFailing is told no failure once the work is stopped */
  constructor(
    private readonly everyMs: number,
    private readonly work: () => Promise<void>,
    private readonly onFailing: (error: Error) => void,
  ) {}

  /** What is long looks whether it is to end early. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#run().finally(() => this.start()), this.everyMs * (0.9 + 0.2 * Math.random()));
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    try {
      await this.work();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing && !this.#isStopped) this.onFailing(error as Error);
      this.#isFailing = true;
    }
  }
}
