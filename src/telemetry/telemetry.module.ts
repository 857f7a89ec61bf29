import { Global, Module } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Lifecycle } from '../config/lifecycle.js';
import { MetricsPort } from './metrics-port.js';
import { Metrics } from './metrics.js';
import { NoTracer, Tracer } from './tracing.js';

@Global()
@Module({
  providers: [
    { provide: Metrics, inject: [Config], useFactory: (config: Config) => new Metrics(config.metrics) },
    MetricsPort,
    { provide: Tracer, inject: [Config, Lifecycle], useFactory: makeTracer },
  ],
  exports: [Metrics, Tracer],
})
export class TelemetryModule {}

/** What traces is loaded only where traces are asked for. */
async function makeTracer(config: Config, { instanceId }: Lifecycle): Promise<Tracer> {
  if (config.tracesUrl === undefined) return new NoTracer();
  const { OtelTracer } = await import('./otel-tracer.js');
  return OtelTracer.start(config, instanceId);
}
