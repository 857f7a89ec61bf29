import { Logger, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../config/config.js';
import type { Lifecycle } from '../config/lifecycle.js';
import type { ChosenStatus } from '../protocol/index.js';
import type { RedisConnections } from '../redis/redis-connections.js';
import { ConnectedUsers } from './connected-users.js';
import { PRESENCE_TIMES, PresenceLease, type PresenceTimes } from './presence-lease.js';
import { PresenceReports } from './presence-reports.js';
import { type OnlineStatus, type PresenceListener, PresenceStore, type VisibleChange } from './presence-store.js';
import { PresenceSubscriber } from './presence-subscriber.js';
import { type Answer, bucketOf, BUCKETS, type Call, decodeChanges, type EndedLease, RedisPresenceState } from './redis-presence-state.js';

/** Of the online users: read together, and given out together. */
const BUCKETS_AT_ONCE = 8;
const PART_SIZE = 2_000;
const START_PATIENCE_MS = 1_000;

/**
 * The presence of several instances, in Redis. Each instance tells of a user once for all his connections to it, under its lease.
 *
 * While it is apart, the connections of this instance, which it always has in memory, are what it goes by. Whatever Redis may not have
 * learnt is in doubt, and is told when it answers again; then, and when publications may have been missed, `onMissed` is called.
 */
export class RedisPresenceStore extends PresenceStore implements OnModuleInit {
  readonly #logger = new Logger(RedisPresenceStore.name);
  readonly #listeners = new Set<PresenceListener>();
  readonly #users = new ConnectedUsers();
  /** Who has left this instance while it drains, and when; null when nobody saw it. */
  readonly #lingering = new Map<string, { since: number; change: VisibleChange | null }>();
  readonly #state: RedisPresenceState;
  readonly #lease: PresenceLease;
  readonly #subscriber: PresenceSubscriber;
  readonly #reports: PresenceReports;
  #isWhole = false;
  #joined: (() => void) | undefined;
  #hasJoined = false;
  #rejoin: NodeJS.Timeout | undefined;
  #isLeaving = false;

  constructor(
    connections: RedisConnections,
    config: Config,
    private readonly lifecycle: Lifecycle,
    private readonly times: PresenceTimes = PRESENCE_TIMES,
  ) {
    super();
    const { commands } = connections;
    const nodes = config.redisCluster ? config.redisUrl.map((url) => new URL(url)) : [];
    this.#state = new RedisPresenceState(commands, config.redisPrefix, lifecycle.instanceId, times.answerMs);
    this.#lease = new PresenceLease(this.#state, lifecycle.instanceId, times, {
      onHeld: (isNew) => this.#onHeld(isNew),
      onApart: () => this.#onApart(),
      onBeat: () => this.#onBeat(),
      onEnded: (leases) => void this.#reap(leases),
    });
    this.#subscriber = new PresenceSubscriber(
      connections,
      nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 6379) })),
      this.#state.channel,
      this.#state.echoChannel,
      3 * times.beatMs,
      { onMessage: (message) => this.#hear(message), onHearing: () => this.#missed() },
    );
    const lease = this.#lease;
    this.#reports = new PresenceReports(this.#users, {
      get isHeld() {
        return lease.isHeld;
      },
      send: (calls) => this.#tell(calls),
      onSettled: (user, answer, at) => this.#uncalled(this.#took(user, answer, at)),
      onFailed: () => this.#lease.fail(),
    });
    commands.on('ready', () => void this.#lease.beat());
  }

  /** Joins the other instances; without Redis the start does not wait for them over a second. */
  async onModuleInit(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const joined = new Promise<void>((resolve) => {
      this.#joined = resolve;
      timer = setTimeout(resolve, START_PATIENCE_MS);
    });
    this.#subscriber.open();
    void this.#lease.beat();
    await joined;
    clearTimeout(timer);
  }

  override get isWhole(): boolean {
    return this.#isWhole && this.#lease.isHeld;
  }

  override connect(user: string, connection: string, chosen: ChosenStatus): Promise<VisibleChange | null> {
    const wasHere = this.#users.has(user);
    const change = this.#users.connect(user, connection, chosen);
    this.#lingering.delete(user);
    return wasHere ? Promise.resolve(null) : this.#call('connect', user, chosen, change);
  }

  override disconnect(user: string, connection: string): Promise<VisibleChange | null> {
    const wasHere = this.#users.has(user);
    const change = this.#users.disconnect(user, connection);
    if (!wasHere || this.#users.has(user)) return Promise.resolve(null);
    if (!this.lifecycle.isDraining) return this.#call('disconnect', user, 'online', change);
    this.#lingering.set(user, { since: performance.now(), change });
    return Promise.resolve(null);
  }

  override choose(user: string, status: ChosenStatus): Promise<VisibleChange | null> {
    const change = this.#users.choose(user, status);
    return this.#users.has(user) ? this.#call('choose', user, status, change) : Promise.resolve(null);
  }

  override async visible(users: readonly string[]): Promise<Map<string, OnlineStatus>> {
    if (users.length === 0) return new Map();
    const visible = (await this.#ask(() => this.#state.visible(users))) ?? new Map<string, OnlineStatus>();
    // Until all is told anew, Redis may know less of them than this instance.
    if (!this.isWhole) for (const user of this.#shownHere(users)) visible.set(user, this.#users.status(user) as OnlineStatus);
    return visible;
  }

  override async *online(): AsyncIterable<string[]> {
    let part: string[] = [];
    for (let first = 0; first < BUCKETS; first += BUCKETS_AT_ONCE) {
      const buckets = Array.from({ length: BUCKETS_AT_ONCE }, (_, index) => first + index);
      const users = await this.#ask(() => Promise.all(buckets.map((bucket) => this.#state.online(bucket))));
      part.push(...(users?.flat() ?? this.#shownHere(this.#users.names()).filter((user) => buckets.includes(bucketOf(user)))));
      if (part.length >= PART_SIZE) {
        yield part;
        part = [];
      }
    }
    if (part.length > 0) yield part;
  }

  override listen(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override async leave(): Promise<void> {
    const wasHeld = this.#lease.isHeld;
    await this.stop();
    try {
      if (!wasHeld) throw new Error('Redis is away');
      const ended = await this.#state.leave(this.#lease.name, this.times.lingerMs);
      for (const lease of ended) await this.#state.reap(lease, (change) => this.#uncalled(change));
    } catch {
      for (const { change } of this.#lingering.values()) this.#uncalled(change);
    }
  }

  /** Speaks and hears no more; what Redis holds of this instance stays until its lease ends. */
  async stop(): Promise<void> {
    this.#isLeaving = true;
    clearTimeout(this.#rejoin);
    this.#subscriber.close();
    await this.#lease.stop();
  }

  #call(act: Call['act'], user: string, chosen: ChosenStatus, change: VisibleChange | null): Promise<VisibleChange | null> {
    const at = change?.at ?? new Date();
    const goByMemory = () => {
      this.#reports.doubt(user, at, act === 'choose');
      if (change) this.#announce(change);
      return change;
    };
    if (!this.#lease.isHeld || this.#reports.isInDoubt(user)) return Promise.resolve(goByMemory());
    return this.#reports.call({ act, user, chosen, at }).then((answer) => {
      // It was told of, so Redis has lost what it held.
      if (answer.wasUnknown) void this.#lease.beat();
      return answer.wasUnknown ? goByMemory() : this.#took(user, answer, at);
    }, goByMemory);
  }

  async #tell(calls: Call[]): Promise<Answer[]> {
    if (!this.#lease.isHeld) throw new Error('Redis is away');
    try {
      return await this.#state.tell(this.#lease.name, calls);
    } catch (error) {
      this.#lease.fail();
      throw error;
    }
  }

  #took(user: string, { status, chosen }: Answer, at: Date): VisibleChange | null {
    // Another instance may know a newer choice than the one that the user came with.
    if (chosen) this.#users.choose(user, chosen);
    if (status === null) return null;
    const change = { user, status, at };
    if (!this.#subscriber.isHearing) this.#announce(change);
    return change;
  }

  /** @returns undefined when Redis does not answer */
  async #ask<T>(read: () => Promise<T>): Promise<T | undefined> {
    if (!this.#lease.isHeld) return undefined;
    try {
      return await read();
    } catch {
      this.#lease.fail();
      return undefined;
    }
  }

  #onApart(): void {
    if (!this.#isLeaving) this.#logger.warn('Redis does not answer: presence goes by the connections of this instance.');
    clearTimeout(this.#rejoin);
  }

  #onHeld(isNew: boolean): void {
    this.#isWhole = false;
    if (isNew) this.#reports.doubtAll();
    void this.#reports.settle().then(() => this.#rejoinIn(isNew && this.#hasJoined ? this.times.rejoinMs : 0));
  }

  // Where Redis has lost what it held, the other instances need some time to tell it anew.
  #rejoinIn(ms: number): void {
    clearTimeout(this.#rejoin);
    if (!this.#lease.isHeld || this.#isLeaving) return;
    const rejoin = () => {
      this.#isWhole = true;
      this.#hasJoined = true;
      this.#missed();
    };
    if (ms === 0) rejoin();
    else this.#rejoin = setTimeout(rejoin, ms).unref();
  }

  #onBeat(): void {
    this.#subscriber.check();
    const due = performance.now() - this.times.lingerMs;
    for (const [user, { since, change }] of this.#lingering) {
      if (since > due) continue;
      this.#lingering.delete(user);
      this.#reports.doubt(user, change?.at ?? new Date(), false);
    }
  }

  async #reap(leases: EndedLease[]): Promise<void> {
    try {
      for (const ended of leases) await this.#state.reap(ended, (change) => this.#uncalled(change));
    } catch (error) {
      // Another instance, or this one, goes on with it.
      this.#logger.warn(`The users of an instance that is gone are not ended yet: ${(error as Error).message}`);
    }
  }

  #hear(message: string): void {
    for (const change of decodeChanges(message) ?? []) this.#announce(change);
  }

  #announce(change: VisibleChange): void {
    for (const listener of this.#listeners) listener.onChange?.(change);
  }

  #uncalled(change: VisibleChange | null): void {
    if (change) for (const listener of this.#listeners) listener.onUncalled?.(change);
  }

  #missed(): void {
    if (!this.isWhole) return;
    if (this.#subscriber.isHearing) this.#joined?.();
    for (const listener of this.#listeners) listener.onMissed?.();
  }

  #shownHere(users: Iterable<string>): string[] {
    return [...users].filter((user) => this.#users.status(user) !== 'offline');
  }
}
