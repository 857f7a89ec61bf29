import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { UserDirectory } from '../auth/user-directory.js';

const PART_SIZE = 2_000;
const MAX_PENDING = 100_000;
const RETRY_MS = 1_000;

/**
 * When users were last seen. A time noted here is true at once for readers of this instance, and is stored as soon as the database
 * takes it: times gather while others are being stored. While the database is down the last 100,000 are kept, and tried again each second.
 */
@Injectable()
export class LastSeen implements BeforeApplicationShutdown {
  readonly #logger = new Logger(LastSeen.name);
  readonly #pending = new Map<string, Date>();
  #storing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(private readonly directory: UserDirectory) {}

  note(user: string, at: Date): void {
    this.#pending.delete(user);
    this.#pending.set(user, at);
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(this.#pending.keys().next().value!);
    if (this.#retry === undefined) void this.flush();
  }

  /** One entry for each of the users; null for who was never seen. @throws {ChatError} unavailable, timeout */
  async of(users: readonly string[]): Promise<Map<string, Date | null>> {
    // A time that is stored while this reads is no longer pending afterwards, and may be too new for the read.
    const before = users.map((user) => this.#pending.get(user));
    const seen = await this.directory.lastSeen(users);
    users.forEach((user, index) => seen.set(user, latest(seen.get(user), before[index], this.#pending.get(user))));
    return seen;
  }

  /** Resolves when all that was pending is stored, or storing has failed. */
  flush(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#storing ??= this.#store().finally(() => (this.#storing = undefined));
    return this.#storing;
  }

  // By now the module that owns the sockets, which is asked before this one, has closed them.
  async beforeApplicationShutdown(): Promise<void> {
    this.#closing = true;
    await this.flush();
  }

  async #store(): Promise<void> {
    while (this.#pending.size > 0) {
      const part = [...this.#pending].slice(0, PART_SIZE);
      try {
        await this.directory.seen(part.map(([user, at]) => ({ user, at })));
      } catch (error) {
        this.#logger.warn(`${this.#pending.size} last-seen times are not stored yet: ${(error as Error).message}`);
        if (!this.#closing) this.#retry = setTimeout(() => void this.flush(), RETRY_MS).unref();
        return;
      }
      for (const [user, at] of part) if (this.#pending.get(user) === at) this.#pending.delete(user);
    }
  }
}

function latest(...times: (Date | null | undefined)[]): Date | null {
  return times.reduce<Date | null>((last, time) => (time && (!last || time > last) ? time : last), null);
}
