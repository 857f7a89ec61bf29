import { Batcher } from '../database/batcher.js';
import type { ConnectedUsers } from './connected-users.js';
import type { Answer, Call } from './redis-presence-state.js';

/** What Redis may hold of a user is not known: he must be told of again. */
interface Doubt {
  /** When the user came or went. */
  at: Date;
  /** Whether what he has chosen is to be told too. */
  hasChosen: boolean;
}

export interface ReportsOwner {
  /** Whether Redis answers, as far as is known. */
  readonly isHeld: boolean;
  /** Rejects when Redis does not answer; then `isHeld` is false. */
  send(calls: Call[]): Promise<Answer[]>;
  /** A user who was in doubt has been told of. */
  onSettled(user: string, answer: Answer, at: Date): void;
  /** Something failed that was not sent. */
  onFailed(): void;
}

const CALLS_AT_ONCE = 1_000;
const MAX_WAITING = 100_000;
const DOUBTS_AT_ONCE = 500;

/**
 * What this instance tells Redis of its users: calls, in their order, and who is in doubt. As long as a user is in doubt no call for him
 * may be sent: settling tells how he stands then, and calls made after it has begun queue behind it.
 */
export class PresenceReports {
  readonly #doubts = new Map<string, Doubt>();
  /** One batch at a time, so the order of calls is kept, and Redis gets the fewer the busier it is. */
  readonly #calls: Batcher<Call, Answer>;
  #settling: Promise<void> | undefined;

  constructor(
    private readonly users: ConnectedUsers,
    private readonly owner: ReportsOwner,
  ) {
    this.#calls = new Batcher<Call, Answer>((calls) => owner.send(calls), {
      maxItems: CALLS_AT_ONCE,
      maxWaiting: MAX_WAITING,
      overflow: () => new Error('too many calls wait for Redis'),
    });
  }

  /** Rejects when Redis did not answer, or was not asked: then what it holds of the user is in doubt. */
  call(call: Call): Promise<Answer> {
    return this.#calls.add(call);
  }

  isInDoubt(user: string): boolean {
    return this.#doubts.has(user);
  }

  /** @param at when he came or went */
  doubt(user: string, at: Date, hasChosen: boolean): void {
    const before = this.#doubts.get(user);
    this.#doubts.set(user, { at, hasChosen: hasChosen || before?.hasChosen === true });
    void this.settle();
  }

  /** Redis holds nothing under the lease: all who are connected are in doubt, and nobody else. */
  doubtAll(): void {
    for (const user of this.#doubts.keys()) if (!this.users.has(user)) this.#doubts.delete(user);
    const at = new Date();
    for (const user of this.users.names()) if (!this.#doubts.has(user)) this.#doubts.set(user, { at, hasChosen: false });
  }

  /** Resolves when nobody is in doubt any more, or Redis does not answer. */
  settle(): Promise<void> {
    this.#settling ??= this.#settleAll().finally(() => (this.#settling = undefined));
    return this.#settling;
  }

  async #settleAll(): Promise<void> {
    while (this.#doubts.size > 0 && this.owner.isHeld) {
      const part = [...this.#doubts].slice(0, DOUBTS_AT_ONCE);
      await Promise.all(part.map(([user, doubt]) => this.#settleOne(user, doubt)));
    }
  }

  async #settleOne(user: string, { at, hasChosen }: Doubt): Promise<void> {
    this.#doubts.delete(user);
    const chosen = this.users.chosen(user);
    const calls: Call[] = [{ act: chosen ? 'connect' : 'disconnect', user, chosen: chosen ?? 'online', at }];
    if (chosen && hasChosen) calls.push({ act: 'choose', user, chosen, at });
    try {
      for (const answer of await Promise.all(calls.map((call) => this.#calls.add(call)))) this.owner.onSettled(user, answer, at);
    } catch {
      const later = this.#doubts.get(user);
      this.#doubts.set(user, { at: later?.at ?? at, hasChosen: hasChosen || later?.hasChosen === true });
      this.owner.onFailed();
    }
  }
}
