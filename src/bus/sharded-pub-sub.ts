import { Cluster, type Redis } from 'ioredis';
import type { RedisConnections } from '../redis/redis-connections.js';
import { slotOf } from './cluster-slots.js';
import { GROUP_SIZE, type PubSub } from './pub-sub.js';

/** So many names are tried for one that lives on a given node: enough for a node with a hundredth of the slots. */
const MAX_TRIES = 2_000;
/** While a node is down every publish to it fails, and each could ask. */
const REFRESH_MS = 500;

/** SPUBLISH and SSUBSCRIBE on Redis Cluster: a message goes to the one master that its channel's slot lives on. */
export class ShardedPubSub implements PubSub {
  readonly publisher: Cluster;
  readonly messageEvent = 'smessageBuffer';
  readonly #echoes = new Map<string, string>();
  #refreshedAt = -Infinity;

  constructor(
    private readonly connections: Pick<RedisConnections, 'publisher' | 'subscriber'>,
    private readonly echo: string,
  ) {
    const publisher = connections.publisher();
    if (!(publisher instanceof Cluster)) throw new Error('sharded pub/sub needs a cluster');
    this.publisher = publisher;
  }

  async publish(channel: string, message: Buffer): Promise<number> {
    try {
      return Number(await this.publisher.spublish(channel, message));
    } catch (error) {
      this.refresh();
      throw error;
    }
  }

  homes(): readonly string[] {
    const homes = new Set<string>();
    // All slots of a range share one array.
    let last: readonly string[] | undefined;
    for (const nodes of this.publisher.slots) {
      if (nodes !== last && nodes?.[0] !== undefined) homes.add(nodes[0]);
      last = nodes;
    }
    return [...homes];
  }

  homeOf(channel: string): string | null {
    return this.publisher.slots[slotOf(channel)]?.[0] ?? null;
  }

  echoChannel(home: string): string | null {
    const known = this.#echoes.get(home);
    if (known !== undefined && this.homeOf(known) === home) return known;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const channel = `${this.echo}:{${tries}}`;
      if (this.homeOf(channel) !== home) continue;
      this.#echoes.set(home, channel);
      return channel;
    }
    return null;
  }

  refresh(): void {
    if (performance.now() - this.#refreshedAt < REFRESH_MS) return;
    this.#refreshedAt = performance.now();
    this.publisher.refreshSlotsCache();
  }

  connect(home: string): Redis {
    const colon = home.lastIndexOf(':');
    return this.connections.subscriber('bus', { host: home.slice(0, colon), port: Number(home.slice(colon + 1)) });
  }

  group(channels: readonly string[]): readonly (readonly string[])[] {
    const open = new Map<number, string[]>();
    const groups: string[][] = [];
    for (const channel of channels) {
      const slot = slotOf(channel);
      const group = open.get(slot);
      if (group && group.length < GROUP_SIZE) {
        group.push(channel);
      } else {
        const started = [channel];
        open.set(slot, started);
        groups.push(started);
      }
    }
    return groups;
  }

  subscribe(client: Redis, group: readonly string[]): Promise<unknown> {
    return client.ssubscribe(...group);
  }

  unsubscribe(client: Redis, group: readonly string[]): Promise<unknown> {
    return client.sunsubscribe(...group);
  }
}
