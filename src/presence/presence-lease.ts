import type { EndedLease, RedisPresenceState } from './redis-presence-state.js';

export interface PresenceTimes {
  /** What waits for Redis waits this long. */
  answerMs: number;
  /** Between two renewals. */
  beatMs: number;
  /** Life of a lease that is not renewed. */
  leaseMs: number;
  /** Who has left a draining instance stays this long, so that he may come back elsewhere unseen. */
  lingerMs: number;
  /** An instance that was apart leaves ended leases alone this long: after an outage of Redis all have ended, and all come back. */
  graceMs: number;
  /** Who has claimed an ended lease has ended its users by then, or another tries. */
  claimMs: number;
  /** How long other instances may take to notice that Redis has lost what it held, and to tell it anew. */
  rejoinMs: number;
}

export const PRESENCE_TIMES: PresenceTimes = {
  answerMs: 100,
  beatMs: 3_000,
  leaseMs: 12_000,
  lingerMs: 5_000,
  graceMs: 6_000,
  claimMs: 10_000,
  rejoinMs: 5_000,
};

/** Between two attempts while Redis does not answer: so soon is it noticed that it does. */
const RETRY_MS = 250;

export interface LeaseHolder {
  /** The lease is held, for the first time or again. When it is another one than before, nothing is told under it yet. */
  onHeld(isNew: boolean): void;
  /** Redis does not answer any more. */
  onApart(): void;
  onBeat(): void;
  /** Theirs to reap. */
  onEnded(leases: EndedLease[]): void;
}

/**
 * This instance's lease, and whether Redis answers.
 *
 * - apart: at first, or since a command failed. Redis is asked for nothing but the lease, a few times a second.
 * - held: the lease is there, and is renewed every few seconds.
 * - stopped.
 *
 * A lease that was lost is never taken up again, since others may be ending its users: another one, with a name of its own, takes its place.
 */
export class PresenceLease {
  #generation = 0;
  #name: string | null = null;
  #isHeld = false;
  #heldSince = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #isStopped = false;

  constructor(
    private readonly state: RedisPresenceState,
    private readonly instanceId: string,
    private readonly times: PresenceTimes,
    private readonly holder: LeaseHolder,
  ) {}

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** To be read only when there was one. */
  get name(): string {
    return this.#name!;
  }

  /** Resolves when the lease is held, or the attempt has failed. Never rejects. */
  beat(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isStopped) return Promise.resolve();
    this.#beating ??= this.#tryBeat().finally(() => {
      this.#beating = undefined;
      this.#beatIn(this.#isHeld ? this.times.beatMs : RETRY_MS);
    });
    return this.#beating;
  }

  /** A command has failed: the instance is apart until a beat succeeds. */
  fail(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#beatIn(RETRY_MS);
    this.holder.onApart();
  }

  /** No further beat; the lease stays as it is. Resolves when none is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
  }

  #beatIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.beat(), ms).unref();
  }

  async #tryBeat(): Promise<void> {
    try {
      const mayReap = this.#isHeld && performance.now() - this.#heldSince >= this.times.graceMs;
      const ended = this.#name === null ? null : await this.state.beat(this.#name, this.times.leaseMs, mayReap, this.times.claimMs);
      if (ended === null) await this.#open();
      else if (!this.#isHeld) this.#hold(false);
      this.holder.onBeat();
      if (ended && ended.length > 0) this.holder.onEnded(ended);
    } catch {
      this.fail();
    }
  }

  async #open(): Promise<void> {
    const next = `${this.instanceId}.${this.#generation + 1}`;
    await this.state.open(next, this.times.leaseMs, this.#name, this.times.graceMs);
    this.#generation++;
    this.#name = next;
    this.#hold(true);
  }

  #hold(isNew: boolean): void {
    this.#isHeld = true;
    this.#heldSince = performance.now();
    this.holder.onHeld(isNew);
  }
}
