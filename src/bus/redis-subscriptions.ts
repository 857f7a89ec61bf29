import type { PubSub } from './pub-sub.js';
import { SubscriberLink } from './subscriber-link.js';

/** A channel that nobody follows any more is still heard for so long: whoever comes back at once costs nothing. */
const IDLE_MS = 5_000;

interface Followed {
  count: number;
  /** Null while it is not known where the channel lives. */
  link: SubscriberLink | null;
}

/** The channels that this instance follows, counted, each over the connection to its home. */
export class RedisSubscriptions {
  readonly #followed = new Map<string, Followed>();
  /** When each channel was left by its last follower, the longest ago first. */
  readonly #idle = new Map<string, number>();
  readonly #links = new Map<string, SubscriberLink>();

  /** @param hear must not throw */
  constructor(
    private readonly pubSub: PubSub,
    private readonly hear: (channel: string, message: Buffer) => void,
  ) {}

  get links(): Iterable<SubscriberLink> {
    return this.#links.values();
  }

  isFollowed(channel: string): boolean {
    return (this.#followed.get(channel)?.count ?? 0) > 0;
  }

  /** Resolves when the channel is heard, or within a second. */
  follow(channel: string): Promise<void> {
    let followed = this.#followed.get(channel);
    if (!followed) this.#followed.set(channel, (followed = { count: 0, link: null }));
    if (followed.count++ === 0) this.#idle.delete(channel);
    followed.link ??= this.#linkOf(channel);
    return followed.link?.want(channel) ?? Promise.resolve();
  }

  unfollow(channel: string): void {
    const followed = this.#followed.get(channel);
    if (followed && followed.count > 0 && --followed.count === 0) this.#idle.set(channel, performance.now());
  }

  /** To be called every now and then: connections to the homes that there are, every channel at its home, none that nobody wants. */
  tend(): void {
    this.#dropIdle();
    const homes = new Set(this.pubSub.homes());
    if (homes.size === 0) return; // not known: what there is stays
    for (const home of homes) {
      if (!this.#links.has(home)) this.#links.set(home, new SubscriberLink(home, this.pubSub, this.hear));
    }
    this.#moveChannels();
    for (const [home, link] of this.#links) {
      if (homes.has(home)) {
        link.retry();
      } else {
        link.stop();
        this.#links.delete(home);
      }
    }
  }

  stop(): void {
    for (const link of this.#links.values()) link.stop();
    this.#links.clear();
  }

  #linkOf(channel: string): SubscriberLink | null {
    const home = this.pubSub.homeOf(channel);
    return home === null ? null : (this.#links.get(home) ?? null);
  }

  #moveChannels(): void {
    const left = new Map<SubscriberLink, string[]>();
    for (const [channel, followed] of this.#followed) {
      const link = this.#linkOf(channel);
      if (!link || link === followed.link) continue;
      if (followed.link) append(left, followed.link, channel);
      followed.link = link;
      void link.want(channel);
    }
    for (const [link, channels] of left) link.forget(channels);
  }

  #dropIdle(): void {
    const before = performance.now() - IDLE_MS;
    const dropped = new Map<SubscriberLink, string[]>();
    for (const [channel, since] of this.#idle) {
      if (since > before) break;
      this.#idle.delete(channel);
      const link = this.#followed.get(channel)?.link;
      this.#followed.delete(channel);
      if (link) append(dropped, link, channel);
    }
    for (const [link, channels] of dropped) link.forget(channels);
  }
}

function append<K>(lists: Map<K, string[]>, key: K, value: string): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
