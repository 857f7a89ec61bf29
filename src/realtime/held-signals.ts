import type { Signal } from '../bus/room-bus.js';

/**
 * What signals with a source tell of, while it goes on. Whose source falls silent, since its instance died, ends here by `Lapse`; and
 * what several sources tell of ends with the last of them.
 */
export class HeldSignals {
  /** By key, then by source: what ends it. */
  readonly #held = new Map<string, Map<string, NodeJS.Timeout>>();

  /** @param deliver is called with the end of what lapsed, when no other source goes on with it */
  constructor(private readonly deliver: (end: Signal) => void) {}

  /** Things that go on now, for tests of what is kept. */
  get size(): number {
    return this.#held.size;
  }

  /** @returns whether the signal is to be delivered: not when it is the end of what another source goes on with */
  take(signal: Signal): boolean {
    const { key, source, lapse } = signal;
    if (source === undefined) return true;
    if (lapse) this.#hold(signal, source, lapse.afterMs);
    else this.#release(key, source);
    return lapse !== undefined || !this.#held.has(key);
  }

  close(): void {
    for (const sources of this.#held.values()) for (const timer of sources.values()) clearTimeout(timer);
    this.#held.clear();
  }

  #hold(signal: Signal, source: string, afterMs: number): void {
    let sources = this.#held.get(signal.key);
    if (!sources) this.#held.set(signal.key, (sources = new Map<string, NodeJS.Timeout>()));
    clearTimeout(sources.get(source));
    const timer = setTimeout(() => this.#lapse(signal, source), afterMs);
    sources.set(source, timer.unref());
  }

  #release(key: string, source: string): void {
    const sources = this.#held.get(key);
    clearTimeout(sources?.get(source));
    sources?.delete(source);
    if (sources?.size === 0) this.#held.delete(key);
  }

  #lapse({ audience, key, lapse }: Signal, source: string): void {
    this.#release(key, source);
    if (!this.#held.has(key)) this.deliver({ audience, key, frame: lapse!.frame });
  }
}
