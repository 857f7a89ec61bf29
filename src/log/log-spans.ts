import type { LogEvent } from '../bus/room-bus.js';
import { toChatError } from '../errors/http-error.js';
import type { Span } from '../telemetry/tracing.js';

/** What was made under a span, when it is traced. */
export interface Traced {
  span?: Span | undefined;
}

/**
 * A span of this commit below the span of each traced draft. All of them say the same, since a span has one parent, and whoever looks at
 * one message's trace is to see its commit in it.
 * @param since when the statement began (`performance.now()`)
 * @returns a function that ends them, once the statement has answered or failed
 */
export function beginCommits(drafts: readonly Traced[], since: number): (error?: unknown) => void {
  const facts = { 'db.system.name': 'postgresql', 'db.operation.batch.size': drafts.length };
  const commits = drafts.flatMap(({ span }) => (span ? [span.child({ name: 'commit', kind: 'client', facts, since })] : []));
  return (error) => {
    const failure = error === undefined ? undefined : toChatError(error).code;
    for (const commit of commits) commit.end(failure);
  };
}

/** The events' publishing, below the span that made them. Each event takes its own place in the trace along. */
export function beginPublishing(span: Span, room: string, events: readonly LogEvent[]): Span[] {
  return events.map((event) => {
    const facts = {
      'messaging.system': 'parley',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': room,
      'messaging.message.id': String(event.seq),
    };
    const publishing = span.child({ name: `publish ${event.event}`, kind: 'producer', facts });
    event.trace = { traceparent: publishing.traceparent, since: performance.now() };
    return publishing;
  });
}
