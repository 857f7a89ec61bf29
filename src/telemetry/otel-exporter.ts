import { Logger } from '@nestjs/common';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Config } from '../config/config.js';

/** What posts spans to the collector, and says so once when that begins to fail. It connects when there is something to post. */
export async function makeExporter(config: Config): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    config.otelExporterOtlpProtocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new ToldExporter(new OTLPTraceExporter({ url: config.tracesUrl!, headers: { ...config.otelExporterOtlpHeaders } }));
}

class ToldExporter implements SpanExporter {
  readonly #logger = new Logger('Traces');
  #isFailing = false;

  constructor(private readonly exporter: SpanExporter) {}

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.exporter.export(spans, (result) => {
      this.#tell(result);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  #tell({ code, error }: ExportResult): void {
    const failed = code === ExportResultCode.FAILED;
    if (failed && !this.#isFailing) {
      this.#logger.warn(`The collector takes no traces (${error?.message}): they are lost until it does; this is said once.`);
    } else if (!failed && this.#isFailing) {
      this.#logger.log('The collector takes traces again.');
    }
    this.#isFailing = failed;
  }
}
