import { Global, Module } from '@nestjs/common';
import { OpenConnections } from './open-connections.js';
import { RateLimits } from './rate-limits.js';

@Global()
@Module({ providers: [OpenConnections, RateLimits], exports: [OpenConnections, RateLimits] })
export class LimitsModule {}
