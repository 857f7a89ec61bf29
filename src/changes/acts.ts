import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type Act, type RecordedAct, RoomBus } from '../bus/room-bus.js';
import { ChangesFeed } from './changes-feed.js';

/** Longer than the feed repeats an act, and more than come in that time. */
const REMEMBER_MS = 600_000;
const REMEMBER_ACTS = 100_000;

/** @param xid the transaction that the act was committed in: whoever reads the database by a snapshot can tell whether it saw the act */
export type ActListener = (act: Act, xid: string) => void;

/**
 * The acts of all instances. Each is recorded in the transaction that it is about (`record_act_v1`), published after the commit, and
 * heard here once: by the bus, at once, or from the changes, within two seconds. So an act is certain, and the bus makes it fast.
 *
 * Two acts of different instances may be heard in another order than they were committed in, by a moment, or by those seconds.
 */
@Injectable()
export class Acts implements OnApplicationShutdown {
  readonly #logger = new Logger(Acts.name);
  readonly #listeners = new Set<ActListener>();
  readonly #heard = new LRUCache<string, true>({ max: REMEMBER_ACTS, ttl: REMEMBER_MS });
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly bus: RoomBus,
    feed: ChangesFeed,
  ) {
    this.#endings = [bus.listen({ onAct: (recorded) => this.#hear([recorded]) }), feed.listen({ onActs: (acts) => this.#hear(acts) })];
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
  }

  /** Tells every instance, this one before it returns. Call it when the act is committed. */
  publish(recorded: RecordedAct): void {
    this.bus.publishAct(recorded);
  }

  /** Listeners are called in the order in which they came: who was made before another hears before it. */
  listen(listener: ActListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Each listener hears all that came together before the next one hears any: who decides by what another keeps, such as whether a user is
  // banned, decides by how it stands in the end.
  #hear(recorded: readonly RecordedAct[]): void {
    const news = recorded.filter(({ id }) => !this.#heard.has(id));
    for (const { id } of news) this.#heard.set(id, true);
    for (const listener of this.#listeners) {
      for (const { act, xid } of news) this.#tell(listener, act, xid);
    }
  }

  #tell(listener: ActListener, act: Act, xid: string): void {
    try {
      listener(act, xid);
    } catch (err) {
      this.#logger.error({ err }, 'A listener of acts failed');
    }
  }
}
