import type { Redis } from 'ioredis';
import type { RedisClient, RedisConnections } from '../redis/redis-connections.js';
import { GROUP_SIZE, type PubSub } from './pub-sub.js';

const HOME = 'redis';

/** PUBLISH and SUBSCRIBE on one Redis. */
export class ClassicPubSub implements PubSub {
  readonly publisher: RedisClient;
  readonly messageEvent = 'messageBuffer';

  constructor(
    private readonly connections: Pick<RedisConnections, 'publisher' | 'subscriber'>,
    private readonly echo: string,
  ) {
    this.publisher = connections.publisher();
  }

  publish(channel: string, message: Buffer): Promise<number> {
    return this.publisher.publish(channel, message);
  }

  homes(): readonly string[] {
    return [HOME];
  }

  homeOf(): string {
    return HOME;
  }

  echoChannel(): string {
    return this.echo;
  }

  refresh(): void {
    // There is but one home.
  }

  connect(): Redis {
    return this.connections.subscriber('bus');
  }

  group(channels: readonly string[]): readonly (readonly string[])[] {
    const count = Math.ceil(channels.length / GROUP_SIZE);
    return Array.from({ length: count }, (_, index) => channels.slice(index * GROUP_SIZE, (index + 1) * GROUP_SIZE));
  }

  subscribe(client: Redis, group: readonly string[]): Promise<unknown> {
    return client.subscribe(...group);
  }

  unsubscribe(client: Redis, group: readonly string[]): Promise<unknown> {
    return client.unsubscribe(...group);
  }
}
