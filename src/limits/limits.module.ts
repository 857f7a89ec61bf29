import { Global, Module } from '@nestjs/common';
import { RedisModule } from '../redis/redis.module.js';
import { OpenConnections } from './open-connections.js';
import { RateLimits } from './rate-limits.js';
import { RedisBreaker } from './redis-breaker.js';

@Global()
@Module({
  imports: [RedisModule],
  providers: [OpenConnections, RateLimits, RedisBreaker],
  exports: [OpenConnections, RateLimits, RedisBreaker],
})
export class LimitsModule {}
