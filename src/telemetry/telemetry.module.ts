import { Global, Module } from '@nestjs/common';
import { Config } from '../config/config.js';
import { MetricsPort } from './metrics-port.js';
import { Metrics } from './metrics.js';

@Global()
@Module({
  providers: [{ provide: Metrics, inject: [Config], useFactory: (config: Config) => new Metrics(config.metrics) }, MetricsPort],
  exports: [Metrics],
})
export class TelemetryModule {}
