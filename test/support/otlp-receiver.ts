import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { readProtobufSpans } from './otlp-protobuf.js';
import { until } from './until.js';

/** Kinds of spans, as OTLP numbers them. */
export const [SERVER, CLIENT, PRODUCER, CONSUMER] = [2, 3, 4, 5] as const;

/** A trace that a caller has begun. */
export function newParent(isSampled: boolean): { trace: string; span: string; traceparent: string } {
  const [trace, span] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { trace, span, traceparent: `00-${trace}-${span}-${isSampled ? '01' : '00'}` };
}

/** A span as the receiver got it. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty: it is the trace's first. */
  parentSpanId: string;
  name: string;
  /** `SERVER`, `CLIENT`, `PRODUCER` or `CONSUMER`. */
  kind: number;
  startNs: bigint;
  endNs: bigint;
  attributes: Record<string, string | number>;
  /** As in OTLP: 0 unset, 2 error. */
  status: number;
  resource: Record<string, string | number>;
}

interface Received {
  headers: IncomingHttpHeaders;
  path: string;
  body: Buffer;
}

/** An OpenTelemetry collector, as far as it takes traces by OTLP/HTTP. */
export class OtlpReceiver {
  readonly posts: Received[] = [];
  readonly spans: ReceivedSpan[] = [];
  /** The status that posts are answered with; null: they are taken, and never answered. */
  answer: 200 | 400 | null = 200;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#take(request, response));
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OtlpReceiver(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  trace(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** The first span that matches, as soon as it is here. */
  async span(name: string, matches: (span: ReceivedSpan) => boolean = () => true): Promise<ReceivedSpan> {
    const found = () => this.spans.find((span) => span.name === name && matches(span));
    await until(() => found() !== undefined, `the span ${name} has come`);
    return found()!;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const whole = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole;
    this.posts.push({ headers: request.headers, path: request.url!, body });
    const isJson = request.headers['content-type'] === 'application/json';
    this.spans.push(...(isJson ? readJsonSpans(body.toString()) : readProtobufSpans(body)));
    if (this.answer !== null) response.writeHead(this.answer, { 'content-type': request.headers['content-type'] }).end(isJson ? '{}' : '');
  }
}

interface JsonAttribute {
  key: string;
  value: { stringValue?: string; intValue?: number | string; doubleValue?: number };
}

interface JsonSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: JsonAttribute[];
  status?: { code?: number };
}

interface JsonRequest {
  resourceSpans: { resource: { attributes: JsonAttribute[] }; scopeSpans: { spans: JsonSpan[] }[] }[];
}

function readJsonSpans(text: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(text) as JsonRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        name: span.name,
        kind: span.kind,
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: recordOf(span.attributes),
        status: span.status?.code ?? 0,
        resource: recordOf(resource.attributes),
      })),
  );
}

function recordOf(attributes: JsonAttribute[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.doubleValue ?? Number(value.intValue)] as const),
  );
}
