import { Global, Module } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Lifecycle } from '../config/lifecycle.js';
import { RedisConnections } from '../redis/redis-connections.js';
import { RedisModule } from '../redis/redis.module.js';
import { Metrics } from '../telemetry/metrics.js';
import { Tracer } from '../telemetry/tracing.js';
import { ClassicPubSub } from './classic-pub-sub.js';
import { LocalBus } from './local-bus.js';
import { Questions } from './questions.js';
import { RedisBus } from './redis-bus.js';
import { RoomBus } from './room-bus.js';
import { ShardedPubSub } from './sharded-pub-sub.js';

@Global()
@Module({
  imports: [RedisModule],
  providers: [{ provide: RoomBus, inject: [Config, Lifecycle, RedisConnections, Metrics, Tracer], useFactory: makeBus }, Questions],
  exports: [RoomBus, Questions],
})
export class BusModule {}

function makeBus(config: Config, { instanceId }: Lifecycle, connections: RedisConnections, metrics: Metrics, { isOn }: Tracer): RoomBus {
  if (config.redisUrl.length === 0) return new LocalBus();
  const prefix = config.redisPrefix;
  const echo = `${prefix}:echo:${instanceId}`;
  const pubSub = config.redisCluster ? new ShardedPubSub(connections, echo) : new ClassicPubSub(connections, echo);
  return new RedisBus(pubSub, { prefix, instanceId, onRoundTrip: (seconds) => metrics.observe('busLag', seconds), isTracing: isOn });
}
