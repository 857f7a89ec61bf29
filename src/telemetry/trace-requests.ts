import type { NextFunction, Request, Response } from 'express';
import type { Span, Tracer } from './tracing.js';

/** What machines ask for all the time, and nobody looks for. */
const UNTRACED = /^\/(health|metrics|docs|openapi\.json)(\/|$)/;

/**
 * Gives each REST request a span, in the trace that its `traceparent` names. It says the route and not the path, in which users are
 * named; and never the query, the headers or the body.
 */
export function traceRequests(tracer: Tracer): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    const span = UNTRACED.test(request.path) ? undefined : begin(tracer, request.method, request.headers['traceparent']);
    if (span) response.once('close', () => finish(span, request, response));
    tracer.within(span, next);
  };
}

function begin(tracer: Tracer, method: string, parent: string | string[] | undefined): Span | undefined {
  const facts = { 'http.request.method': method };
  return tracer.begin({ name: method, kind: 'server', facts }, typeof parent === 'string' ? parent : undefined);
}

function finish(span: Span, request: Request, response: Response): void {
  const route = (request.route as { path?: unknown } | undefined)?.path;
  if (typeof route === 'string') {
    span.rename(`${request.method} ${route}`);
    span.add({ 'http.route': route });
  }
  const { statusCode } = response;
  const room = request.params?.['room'];
  // What is none is whatever somebody wrote there.
  if (typeof room === 'string' && statusCode < 400) span.add({ 'parley.room': room });
  span.add({ 'http.response.status_code': statusCode, 'parley.request': request.id as string });
  // A client that went away before the answer is told nothing: the request is done all the same.
  span.end(statusCode >= 400 ? String(statusCode) : undefined, statusCode >= 500);
}
