export type SpanKind = 'server' | 'client' | 'producer' | 'consumer';

/** What a span says of its work. Never what people wrote, and no token, ticket or query. */
export type SpanFacts = Readonly<Record<string, string | number>>;

export interface SpanStart {
  name: string;
  kind: SpanKind;
  facts: SpanFacts;
  /** When the work began, on the monotonic clock (`performance.now()`); now, without it. */
  since?: number;
}

/** One piece of work in a trace. Only sampled work has one. */
export interface Span {
  /** Its place in the trace as W3C Trace Context writes it, for another instance or another span. */
  readonly traceparent: string;
  child(start: SpanStart): Span;
  rename(name: string): void;
  add(facts: SpanFacts): void;
  /**
   * The work is done; call once.
   * @param failure what it failed by, in one word, such as the protocol's code: never a message, which may hold values
   * @param isFault whether that is the server's fault, and not the caller's
   */
  end(failure?: string, isFault?: boolean): void;
}

/** Where an event came from, for those who deliver it. */
export interface EventTrace {
  traceparent: string;
  /** When this instance learned of the event, on its monotonic clock. */
  since: number;
}

/**
 * Follows work from frame to delivery. What is not sampled, and all when tracing is off, has no span; then nothing is made, and whoever
 * works has one test to do.
 */
export abstract class Tracer {
  abstract readonly isOn: boolean;
  /** The span that the caller works under (see `within`). */
  abstract readonly current: Span | undefined;
  /**
   * The first span of some work on this instance.
   * @param parent a `traceparent`, as it came; what is none counts as absent
   */
  abstract begin(start: SpanStart, parent?: string): Span | undefined;
  /**
   * Runs the work, and what it awaits, with this span as `current`; without one, with none: what wakes a command up may itself have run
   * under another one's span.
   */
  abstract within<T>(span: Span | undefined, work: () => T): T;
}

/** Tracing is off. */
export class NoTracer extends Tracer {
  override readonly isOn = false;
  override readonly current = undefined;

  override begin(): undefined {
    return undefined;
  }

  override within<T>(_span: Span | undefined, work: () => T): T {
    return work();
  }
}
