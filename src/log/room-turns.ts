import { ChatError } from '../errors/chat-error.js';

const MAX_WAITING = 2_000;
const MAX_WAIT_MS = 5_000;

/**
 * Lets one task of a room run at a time, in the order of the calls, and so many altogether: who would only wait for the room's lock
 * holds no connection meanwhile, so that a busy or a locked room leaves the pool to the others.
 */
export class RoomTurns {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #queue: (() => void)[] = [];
  #free: number;
  #waiting = 0;

  /** @param slots tasks that may run at a time */
  constructor(slots: number) {
    this.#free = slots;
  }

  /** @throws {ChatError} unavailable when too many wait, or this one has waited too long: the task was not run */
  run<T>(room: string, task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(tooMuch());
    this.#waiting++;
    const cameAt = performance.now();
    const before = this.#tails.get(room) ?? Promise.resolve();
    const result = before.then(() => this.#inSlot(cameAt, task));
    const tail: Promise<void> = result.then(
      () => this.#done(room, tail),
      () => this.#done(room, tail),
    );
    this.#tails.set(room, tail);
    return result;
  }

  async #inSlot<T>(cameAt: number, task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      if (performance.now() - cameAt > MAX_WAIT_MS) throw tooMuch();
      return await task();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free++;
    }
  }

  #done(room: string, tail: Promise<void>): void {
    this.#waiting--;
    if (this.#tails.get(room) === tail) this.#tails.delete(room);
  }
}

function tooMuch(): ChatError {
  return new ChatError('unavailable', 'Too much is waiting to be changed.', { retryAfterMs: 1000 });
}
