import type { NextFunction, Request, Response } from 'express';
import { assertFewHeaders } from './errors/header-limit.js';
import { requestIdOf } from './errors/request-id.js';

/**
 * Gives each request an id, which goes back in `x-request-id`, into error bodies and into the logs. Runs first, so that even a body that
 * cannot be parsed is answered with an id.
 */
export function requestId(request: Request & { id?: unknown }, response: Response, next: NextFunction): void {
  const id = requestIdOf(request.headers);
  request.id = id;
  response.setHeader('x-request-id', id);
  response.setHeader('x-content-type-options', 'nosniff');
  next();
}

/** Refuses requests with more headers than any honest client sends. */
export function headerLimit(request: Request, _response: Response, next: NextFunction): void {
  assertFewHeaders(request);
  next();
}
