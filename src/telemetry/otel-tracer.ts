import type { OnApplicationShutdown } from '@nestjs/common';
import * as otel from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { makeExporter } from './otel-exporter.js';
import { type Span, type SpanFacts, type SpanKind, type SpanStart, Tracer } from './tracing.js';

/** What a stopping server gives the collector to take the last spans: less than what a primary grants its workers beyond their closing. */
const FLUSH_MS = 1_000;

const KINDS: Record<SpanKind, otel.SpanKind> = {
  server: otel.SpanKind.SERVER,
  client: otel.SpanKind.CLIENT,
  producer: otel.SpanKind.PRODUCER,
  consumer: otel.SpanKind.CONSUMER,
};

/**
 * OpenTelemetry's SDK behind the contract: loaded only where traces are asked for. Nothing is registered globally, and nothing instruments
 * itself. Ended spans wait in a bounded queue; where the collector does not take them they are dropped, and nobody waits.
 */
export class OtelTracer extends Tracer implements OnApplicationShutdown {
  override readonly isOn = true;
  readonly #current = new AsyncLocalStorage<Span | undefined>();
  readonly #provider: TracerProvider;
  readonly #tracer: otel.Tracer;

  private constructor(provider: TracerProvider) {
    super();
    this.#provider = provider;
    this.#tracer = provider.getTracer('parley');
  }

  /** @param instanceId names this run of this process among all instances */
  static async start(config: Config, instanceId: string): Promise<OtelTracer> {
    const resource = resourceFromAttributes({
      'service.name': 'parley',
      'service.version': releaseVersion(),
      ...config.otelResourceAttributes,
      ...(config.otelServiceName !== undefined && { 'service.name': config.otelServiceName }),
      'service.instance.id': instanceId,
      'process.pid': process.pid,
    });
    const exporter = await makeExporter(config);
    const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: config.otelBspScheduleDelay });
    return new OtelTracer(new TracerProvider({ resource, sampler: samplerOf(config), spanProcessors: [processor] }));
  }

  override get current(): Span | undefined {
    return this.#current.getStore();
  }

  override begin(start: SpanStart, parent?: string): Span | undefined {
    const from = parent === undefined ? null : parseTraceParent(parent);
    const context = from ? otel.trace.setSpanContext(otel.ROOT_CONTEXT, { ...from, isRemote: true }) : otel.ROOT_CONTEXT;
    const span = new OtelSpan(this.#tracer, start, context);
    return span.isSampled ? span : undefined;
  }

  override within<T>(span: Span | undefined, work: () => T): T {
    return this.#current.run(span, work);
  }

  /** Whether the collector takes the rest or not, the server ends. The exporter has told what it could not deliver. */
  async onApplicationShutdown(): Promise<void> {
    const given = new AbortController();
    const flushed = this.#provider.shutdown().catch(() => {});
    await Promise.race([flushed, delay(FLUSH_MS, undefined, { signal: given.signal }).catch(() => {})]);
    given.abort();
  }
}

class OtelSpan implements Span {
  readonly #span: otel.Span;
  readonly #context: otel.Context;
  readonly #offset = wallOffset();

  constructor(
    private readonly tracer: otel.Tracer,
    { name, kind, facts, since = performance.now() }: SpanStart,
    parent: otel.Context,
  ) {
    this.#span = tracer.startSpan(name, { kind: KINDS[kind], attributes: facts, startTime: since + this.#offset }, parent);
    this.#context = otel.trace.setSpan(parent, this.#span);
  }

  get isSampled(): boolean {
    return this.#span.isRecording();
  }

  get traceparent(): string {
    const { traceId, spanId } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-01`;
  }

  child(start: SpanStart): Span {
    return new OtelSpan(this.tracer, start, this.#context);
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  add(facts: SpanFacts): void {
    this.#span.setAttributes(facts);
  }

  end(failure?: string, isFault = true): void {
    if (failure !== undefined) this.#span.setAttribute('error.type', failure);
    if (failure !== undefined && isFault) this.#span.setStatus({ code: otel.SpanStatusCode.ERROR });
    this.#span.end(performance.now() + this.#offset);
  }
}

/** Beyond this the machine's clock was set. */
const CLOCK_TOLERANCE_MS = 5;

let knownOffset = performance.timeOrigin;

/**
 * From the monotonic clock to Unix milliseconds. `Date.now()` knows no fractions, so that children would begin before their parents: what
 * it says counts only where it differs. A span keeps its offset, so that a clock that is set makes none negative.
 */
function wallOffset(): number {
  const measured = Date.now() - performance.now();
  if (Math.abs(measured - knownOffset) > CLOCK_TOLERANCE_MS) knownOffset = measured;
  return knownOffset;
}

function samplerOf({ otelTracesSampler: name, otelTracesSamplerArg: share }: Config): Sampler {
  const root = name.endsWith('always_on')
    ? new AlwaysOnSampler()
    : name.endsWith('always_off')
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(share);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

/** As package.json says, which lies some folders above, as many as the build has made. */
function releaseVersion(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}
