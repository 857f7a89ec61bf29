import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { UserDirectory } from '../auth/user-directory.js';
import { Acts } from '../changes/acts.js';
import { roomNotFound } from '../errors/chat-error.js';
import type { ChosenStatus, PresenceView } from '../protocol/index.js';
import { RoomAccess } from '../rooms/access.service.js';
import { LastSeen } from './last-seen.service.js';
import { PresenceStore, type VisibleChange } from './presence-store.js';
import { RoomMembers } from './room-members.repository.js';
import { TypingService } from './typing.service.js';
import type { Entry } from './watched-room.js';
import { WatchedUsers, type Watcher } from './watched-users.js';
import { Watches } from './watches.js';

/** Who of a room's members is there. `count` is of the visibly online ones; `users` are all members, or, truncated, some online ones. */
export interface PresenceSnapshot {
  count: number;
  users: PresenceView[];
  truncated: boolean;
}

const MAX_ATTEMPTS = 5;
/** Far longer than a handshake takes. */
const CHOICE_MS = 60_000;

/**
 * Who is online, and who is told so. A user is online by any connection; what others see is the chosen status, which is stored, and
 * which is applied before a first connection is announced. When a user was last seen is stored at the end of his visible presence.
 */
@Injectable()
export class PresenceService implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger(PresenceService.name);
  /** A handshake may have read the status that was chosen before one of these. */
  readonly #choices = new LRUCache<string, ChosenStatus>({ max: 10_000, ttl: CHOICE_MS });
  /** The last choice under way of each user: the next waits for it, so that the last one made is the one stored and shown. */
  readonly #choosing = new Map<string, Promise<void>>();
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly store: PresenceStore,
    private readonly directory: UserDirectory,
    private readonly access: RoomAccess,
    private readonly members: RoomMembers,
    private readonly watches: Watches,
    private readonly users: WatchedUsers,
    private readonly lastSeen: LastSeen,
    private readonly typing: TypingService,
    acts: Acts,
  ) {
    this.#endings = [
      acts.listen((act) => {
        if (act.kind === 'status.chosen') this.#chosen(act.user, act.status);
      }),
      store.listen({ onUncalled: (change) => this.#noteEnd(change) }),
    ];
  }

  // By now the sockets are closed, by the module that is asked before this one.
  async beforeApplicationShutdown(): Promise<void> {
    await this.store.leave();
    await this.lastSeen.flush();
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
  }

  /** A connection has opened; `chosen` is what its handshake read of the user's status. */
  connected(user: string, connection: string, chosen: ChosenStatus): void {
    this.#follow(this.store.connect(user, connection, this.#choices.get(user) ?? chosen));
  }

  /** A connection has closed. Ends its typing too. */
  disconnected(user: string, connection: string): void {
    this.typing.forget(connection);
    this.#follow(this.store.disconnect(user, connection));
  }

  /** Resolves when the choice is stored, and shown here. Choices of one user take effect in the order of the calls. @throws {ChatError} unavailable, timeout */
  async choose(user: string, status: ChosenStatus): Promise<void> {
    const before = this.#choosing.get(user) ?? Promise.resolve();
    // The act that the directory publishes comes back to `#chosen`, on every instance.
    const choosing = before.catch(() => undefined).then(() => this.directory.setStatus(user, status));
    this.#choosing.set(user, choosing);
    try {
      await choosing;
    } finally {
      if (this.#choosing.get(user) === choosing) this.#choosing.delete(user);
    }
  }

  /**
   * The watcher hears of each visible change of a member after the snapshot, until `unwatch`, `forget`, or the end of his access. In a
   * large room there is the snapshot only.
   * @throws {ChatError} not_found, forbidden, unavailable, timeout
   */
  async watch(watcher: Watcher, room: string): Promise<PresenceSnapshot> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const entry = this.watches.enter(watcher, room);
      try {
        await this.access.require(watcher.userId, room, 'presence.watch');
        const snapshot = await this.#snapshot(entry);
        if (snapshot) return snapshot;
      } finally {
        this.watches.close(entry);
      }
      // His access ended meanwhile: asking again says how it stands now.
    }
    throw roomNotFound();
  }

  unwatch(watcher: Watcher, room: string): void {
    this.watches.leave(watcher, room);
  }

  /** The connection has closed: nothing is delivered to it any more. */
  forget(watcher: Watcher): void {
    this.watches.forget(watcher);
  }

  async #snapshot(entry: Entry): Promise<PresenceSnapshot | null> {
    const members = await this.watches.read(entry);
    if (members === undefined) return null;
    if (members === null) {
      const snapshot = await this.#sample(entry.room.id);
      return this.watches.admit(entry) ? snapshot : null;
    }
    // From here to the return nothing may be waited for: the snapshot and the changes after it must meet.
    if (!entry.room.members.has(entry.watcher.userId)) return null;
    const users = this.users.snapshot(entry.room.members);
    if (!this.watches.admit(entry)) return null;
    return { count: users.filter(({ status }) => status !== 'offline').length, users, truncated: false };
  }

  async #sample(room: string): Promise<PresenceSnapshot> {
    const { count, sample } = await this.members.online(room);
    const visible = await this.store.visible(sample);
    const users = [...visible].map(([user, status]) => ({ user, status, lastSeenAt: null }));
    // Who went while the others were counted is not counted either.
    return { count: count - (sample.length - users.length), users, truncated: true };
  }

  #chosen(user: string, status: ChosenStatus): void {
    this.#choices.set(user, status);
    if (status === 'invisible') this.typing.endOf(user);
    this.#follow(this.store.choose(user, status));
  }

  #follow(call: Promise<VisibleChange | null>): void {
    call.then((change) => this.#noteEnd(change)).catch((error: Error) => this.#logger.warn(`The presence store failed: ${error.message}`));
  }

  #noteEnd(change: VisibleChange | null): void {
    if (change?.status === 'offline') this.lastSeen.note(change.user, change.at);
  }
}
