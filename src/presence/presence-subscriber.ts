import type { Redis } from 'ioredis';
import type { RedisConnections, RedisNode } from '../redis/redis-connections.js';

export interface SubscriberOwner {
  /** A message on the first of the channels. Must not throw. */
  onMessage(message: string): void;
  /** Messages may have been missed until now; from now on they are heard. */
  onHearing(): void;
}

/**
 * Hears a channel on a connection of its own. A connection on which the echo is not heard, though it was sent, is deaf, whatever its
 * socket says: it is replaced. Classic channels are heard on every node of a cluster, so any node serves.
 */
export class PresenceSubscriber {
  #client: Redis | undefined;
  #attempts = 0;
  #heardAt = 0;
  #isHearing = false;

  /** @param nodes those of a cluster; empty where there is none */
  constructor(
    private readonly connections: Pick<RedisConnections, 'subscriber'>,
    private readonly nodes: readonly RedisNode[],
    private readonly channel: string,
    private readonly echoChannel: string,
    private readonly deafMs: number,
    private readonly owner: SubscriberOwner,
  ) {}

  /** What is published now is heard, as far as this can be known. */
  get isHearing(): boolean {
    return this.#isHearing;
  }

  open(): void {
    const client = this.connections.subscriber('presence', this.nodes[this.#attempts++ % this.nodes.length]);
    this.#client = client;
    this.#heardAt = performance.now();
    client.on('ready', () => void this.#subscribe(client));
    client.on('close', () => {
      if (client === this.#client) this.#isHearing = false;
    });
    client.on('message', (channel, message) => {
      if (client !== this.#client) return;
      if (channel === this.echoChannel) this.#heardAt = performance.now();
      else this.owner.onMessage(message);
    });
  }

  /** To be called now and then, while echoes are being sent. */
  check(): void {
    if (!this.#client || performance.now() - this.#heardAt < this.deafMs) return;
    this.close();
    this.open();
  }

  close(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#isHearing = false;
    client?.disconnect();
  }

  async #subscribe(client: Redis): Promise<void> {
    try {
      await client.subscribe(this.channel, this.echoChannel);
    } catch {
      return; // It reconnects, or is found to be deaf.
    }
    if (client !== this.#client) return;
    this.#heardAt = performance.now();
    this.#isHearing = true;
    this.owner.onHearing();
  }
}
