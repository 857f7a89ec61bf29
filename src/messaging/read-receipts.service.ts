import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { UserDirectory } from '../auth/user-directory.js';
import { RoomBus } from '../bus/room-bus.js';
import { ephemeralFrame } from '../protocol/index.js';

interface Receipt {
  user: string;
  room: string;
  seq: number;
}

const COALESCE_MS = 500;

/**
 * Tells of read marks by `read.updated`: the user's own connections at once, the others in the room within half a second, each mark's last
 * place only, and nothing of users who are invisible then. Receipts are hints: one may be lost, when the status of a user cannot be read.
 */
@Injectable()
export class ReadReceipts implements OnApplicationShutdown {
  readonly #logger = new Logger(ReadReceipts.name);
  #pending = new Map<string, Receipt>();
  /** Set from the first receipt that waits until those of its time are told. */
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    private readonly bus: RoomBus,
    private readonly directory: UserDirectory,
  ) {}

  onApplicationShutdown(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  tell(user: string, room: string, seq: number): void {
    const frame = ephemeralFrame('read.updated', { user, seq }, room);
    const key = `read ${room} ${user}`;
    this.bus.publishSignal({ audience: { kind: 'user', user }, frame, key });
    this.#pending.set(key, { user, room, seq });
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), COALESCE_MS);
  }

  // One at a time, so that no earlier place is told after a later one.
  async #flush(): Promise<void> {
    const receipts = this.#pending;
    this.#pending = new Map();
    try {
      await this.#publish(receipts);
    } catch (error) {
      this.#logger.warn(`Read receipts were not sent: ${(error as Error).message}`);
    }
    this.#timer = undefined;
    if (this.#pending.size > 0 && !this.#ended) this.#schedule();
  }

  async #publish(receipts: Map<string, Receipt>): Promise<void> {
    const statuses = await this.directory.statuses([...new Set([...receipts.values()].map(({ user }) => user))]);
    for (const [key, { user, room, seq }] of receipts) {
      if (statuses.get(user) === 'invisible') continue;
      const frame = ephemeralFrame('read.updated', { user, seq }, room);
      this.bus.publishSignal({ audience: { kind: 'room', room, exceptUser: user }, frame, key });
    }
  }
}
