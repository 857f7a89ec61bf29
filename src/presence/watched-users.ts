import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ephemeralFrame, type PresenceStatus, type PresenceView } from '../protocol/index.js';
import { LastSeen } from './last-seen.service.js';
import { PresenceStore, type VisibleChange } from './presence-store.js';

/** One connection that watches. */
export interface Watcher {
  readonly userId: string;
  /**
   * Takes a whole WebSocket text frame. A later frame of the same key makes this one pointless: a slow connection keeps only the last
   * of each. Called synchronously; must not throw.
   */
  deliver(frame: Buffer, key: string): void;
}

/** Who hears of the users of one room. */
export interface Audience {
  readonly watchers: ReadonlySet<Watcher>;
}

interface Visible {
  status: PresenceStatus;
  lastSeenAt: Date | null;
}

interface WatchedUser {
  audiences: Set<Audience>;
  /** The user's visible state; undefined until it was read. */
  visible: Visible | undefined;
  /** What all who watch the user know, from a change or from their snapshot. */
  announced: Visible | undefined;
}

/** A change waits this long for the next one, which may undo it. */
export const WINDOW_MS = 200;
/** Users that are asked for at once. */
const PART_SIZE = 1_000;
const RETRY_MS = 1_000;

/**
 * The visible state of each user that somebody here watches, and its announcement as `presence.changed`.
 *
 * All watchers of a user know the same: `announced`. A change is announced to each of them once, at the end of its window, unless the
 * state is then what was announced before. A snapshot announces the pending changes of its users first, so it cannot hide one.
 */
@Injectable()
export class WatchedUsers implements OnApplicationShutdown {
  readonly #logger = new Logger(WatchedUsers.name);
  readonly #users = new Map<string, WatchedUser>();
  readonly #pending = new Set<string>();
  readonly #stopListening: () => void;
  #window: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isStale = false;
  #isLearning = false;

  constructor(
    private readonly store: PresenceStore,
    private readonly lastSeen: LastSeen,
  ) {
    this.#stopListening = store.listen({ onChange: (change) => this.#change(change), onMissed: () => void this.#learnAnew() });
  }

  onApplicationShutdown(): void {
    this.#stopListening();
    clearTimeout(this.#window);
    clearTimeout(this.#retry);
  }

  /** Users watched now, for tests of what is kept. */
  get size(): number {
    return this.#users.size;
  }

  /** From now on the audience hears of the user; those of it to whom the user is new learn the state that the others know. */
  include(user: string, audience: Audience): void {
    let watched = this.#users.get(user);
    if (!watched) this.#users.set(user, (watched = { audiences: new Set(), visible: undefined, announced: undefined }));
    if (watched.audiences.has(audience)) return;
    if (watched.announced && audience.watchers.size > 0) {
      const known = watchersOf(watched);
      const frame = changedFrame(user, watched.announced);
      for (const watcher of audience.watchers) if (!known.has(watcher)) watcher.deliver(frame, keyOf(user));
    }
    watched.audiences.add(audience);
  }

  exclude(user: string, audience: Audience): void {
    const watched = this.#users.get(user);
    if (!watched?.audiences.delete(audience) || watched.audiences.size > 0) return;
    this.#users.delete(user);
    this.#pending.delete(user);
  }

  /** Resolves when the states of these watched users are known. What was read is announced to who watches already. @throws {ChatError} unavailable, timeout */
  async learn(users: Iterable<string>): Promise<void> {
    const unknown = new Map<string, WatchedUser>();
    for (const user of users) {
      const watched = this.#users.get(user);
      if (watched && !watched.visible) unknown.set(user, watched);
    }
    if (unknown.size === 0) return;
    const states = await this.#read([...unknown.keys()]);
    for (const [user, watched] of unknown) {
      // A change that came meanwhile is newer than the read, and a user watched anew is another's to learn.
      if (watched.visible || this.#users.get(user) !== watched) continue;
      watched.visible = states.get(user)!;
      this.#await(user);
    }
  }

  /** Asks again for what may have changed unheard. Again too when this is called while it asks: then the answers may be older. */
  async #learnAnew(): Promise<void> {
    this.#isStale = true;
    if (this.#isLearning) return;
    this.#isLearning = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        for (const part of partsOf([...this.#users.keys()])) await this.#learnPart(part);
      }
    } catch (error) {
      this.#logger.warn(`The presence of watched users could not be read anew; trying again: ${(error as Error).message}`);
      this.#retry ??= setTimeout(() => this.#learnAgain(), RETRY_MS).unref();
    } finally {
      this.#isLearning = false;
    }
  }

  #learnAgain(): void {
    this.#retry = undefined;
    void this.#learnAnew();
  }

  async #learnPart(users: string[]): Promise<void> {
    const before = new Map(users.map((user) => [user, this.#users.get(user)?.visible]));
    const states = await this.#read(users);
    // A store that knows less than before has nothing new to say, and says so when it does.
    if (!this.store.isWhole) return;
    for (const [user, visible] of before) {
      const watched = this.#users.get(user);
      if (!watched?.visible || watched.visible !== visible) continue;
      watched.visible = states.get(user)!;
      this.#await(user);
    }
  }

  /** As `learn`, for users whom nobody waits for. */
  learnLater(users: string[]): void {
    this.learn(users).catch((error: Error) => this.#logger.warn(`The presence of new members could not be read: ${error.message}`));
  }

  /** The states of those of the users that are known; each is what all their watchers know when this returns. */
  snapshot(users: Iterable<string>): PresenceView[] {
    const views: PresenceView[] = [];
    for (const user of users) {
      this.#announce(user);
      const watched = this.#users.get(user);
      if (watched?.announced) views.push(viewOf(user, watched.announced));
    }
    return views;
  }

  #change({ user, status, at }: VisibleChange): void {
    const watched = this.#users.get(user);
    if (!watched) return;
    watched.visible = { status, lastSeenAt: status === 'offline' ? at : null };
    this.#await(user);
  }

  #await(user: string): void {
    this.#pending.add(user);
    this.#window ??= setTimeout(() => this.#flush(), WINDOW_MS).unref();
  }

  #flush(): void {
    this.#window = undefined;
    for (const user of this.#pending) this.#announce(user);
  }

  #announce(user: string): void {
    this.#pending.delete(user);
    const watched = this.#users.get(user);
    if (!watched?.visible || isSame(watched.visible, watched.announced)) return;
    watched.announced = watched.visible;
    const watchers = watchersOf(watched);
    if (watchers.size === 0) return;
    const frame = changedFrame(user, watched.visible);
    for (const watcher of watchers) watcher.deliver(frame, keyOf(user));
  }

  async #read(users: string[]): Promise<Map<string, Visible>> {
    const online = await this.store.visible(users);
    const seen = await this.lastSeen.of(users.filter((user) => !online.has(user)));
    return new Map(users.map((user) => [user, { status: online.get(user) ?? 'offline', lastSeenAt: seen.get(user) ?? null }]));
  }
}

function partsOf(users: string[]): string[][] {
  return Array.from({ length: Math.ceil(users.length / PART_SIZE) }, (_, index) => users.slice(index * PART_SIZE, (index + 1) * PART_SIZE));
}

function watchersOf({ audiences }: WatchedUser): ReadonlySet<Watcher> {
  const [only, ...others] = audiences;
  if (only && others.length === 0) return only.watchers;
  const all = new Set<Watcher>();
  for (const { watchers } of audiences) for (const watcher of watchers) all.add(watcher);
  return all;
}

function isSame(one: Visible, other: Visible | undefined): boolean {
  return one.status === other?.status && one.lastSeenAt?.getTime() === other.lastSeenAt?.getTime();
}

function keyOf(user: string): string {
  return `presence:${user}`;
}

function viewOf(user: string, { status, lastSeenAt }: Visible): PresenceView {
  return { user, status, lastSeenAt: lastSeenAt?.toISOString() ?? null };
}

function changedFrame(user: string, visible: Visible): Buffer {
  return ephemeralFrame('presence.changed', viewOf(user, visible));
}
