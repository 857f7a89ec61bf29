const SWEEP_EVERY_MS = 60_000;

/** Of each id something that counts until a time of its own (Unix ms); what is past it goes by and by. */
export class ExpiringMap<Value> {
  readonly #entries = new Map<string, { value: Value; until: number }>();
  #sweptAt = 0;

  set(id: string, value: Value, until: number): void {
    this.#sweep();
    this.#entries.set(id, { value, until: Math.max(until, this.#entries.get(id)?.until ?? 0) });
  }

  get(id: string): Value | undefined {
    return this.#entries.get(id)?.value;
  }

  #sweep(): void {
    const now = Date.now();
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    for (const [id, { until }] of this.#entries) if (until < now) this.#entries.delete(id);
  }
}
