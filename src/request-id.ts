import type { NextFunction, Request, Response } from 'express';
import { ChatError } from './errors/chat-error.js';
import { requestIdOf } from './errors/request-id.js';

const MAX_HEADERS = 100;

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
  next(request.rawHeaders.length / 2 > MAX_HEADERS ? new ChatError('validation_failed', 'The request has too many headers.') : undefined);
}
