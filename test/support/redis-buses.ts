import { randomUUID } from 'node:crypto';
import { ClassicPubSub } from '../../src/bus/classic-pub-sub.js';
import { RedisBus } from '../../src/bus/redis-bus.js';
import { ShardedPubSub } from '../../src/bus/sharded-pub-sub.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { RedisConnections } from '../../src/redis/redis-connections.js';

export const BUS_PREFIX = 'parley-test';

export interface OwnBus {
  bus: RedisBus;
  instanceId: string;
  close(): void;
}

/** A RedisBus as an instance of its own would have it, with traces. Its connections that publish, or those that hear, may go another way. */
export function startRedisBus(urls: string, { cluster = false, publishesVia = urls, hearsVia = urls } = {}): OwnBus {
  const instanceId = randomUUID();
  const [publishing, hearing] = [publishesVia, hearsVia].map((url) => {
    const settings = loadSettings({ REDIS_URL: url, REDIS_CLUSTER: String(cluster) });
    return new RedisConnections(new Config(settings, { databaseUrl: '', jwtSecrets: [''] }));
  }) as [RedisConnections, RedisConnections];
  const connections: Pick<RedisConnections, 'publisher' | 'subscriber'> = {
    publisher: () => publishing.publisher(),
    subscriber: (whose, node) => hearing.subscriber(whose, node),
  };
  const echo = `${BUS_PREFIX}:echo:${instanceId}`;
  const pubSub = cluster ? new ShardedPubSub(connections, echo) : new ClassicPubSub(connections, echo);
  const bus = new RedisBus(pubSub, { prefix: BUS_PREFIX, instanceId, isTracing: true });
  bus.onModuleInit();
  return {
    bus,
    instanceId,
    close: () => {
      bus.onApplicationShutdown();
      publishing.onApplicationShutdown();
      hearing.onApplicationShutdown();
    },
  };
}
