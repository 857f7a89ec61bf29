const TICK_MS = 5;

/**
 * Measures waiting. Time in which this process could not do anything, since the machine was busy with others or it with itself, does not
 * count: so what is waited for in this process is judged by how long it waits, however slow the machine is.
 */
export class Stopwatch {
  readonly #startedAt = performance.now();
  readonly #ticks = setInterval(() => this.#tick(), TICK_MS);
  #tickedAt = this.#startedAt;
  #stoodStillMs = 0;

  /** Stops it. @returns the milliseconds since it was made, less those in which nothing could be done */
  stop(): number {
    this.#tick();
    clearInterval(this.#ticks);
    return this.#tickedAt - this.#startedAt - this.#stoodStillMs;
  }

  #tick(): void {
    const now = performance.now();
    this.#stoodStillMs += Math.max(0, now - this.#tickedAt - TICK_MS);
    this.#tickedAt = now;
  }
}

/** @returns what the promise resolves with, and how long was waited for it */
export async function timed<T>(work: Promise<T>): Promise<{ result: T; waitedMs: number }> {
  const watch = new Stopwatch();
  try {
    const result = await work;
    return { result, waitedMs: watch.stop() };
  } catch (error) {
    watch.stop();
    throw error;
  }
}
