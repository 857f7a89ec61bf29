import { HttpException } from '@nestjs/common';
import { ERROR_CODES, type ErrorCode } from '../protocol/index.js';
import type { ErrorBody } from './api-errors.js';
import { ChatError } from './chat-error.js';
import { rateLimitHeaders } from './rate-limit-headers.js';

/** An error as an HTTP answer. */
export interface HttpErrorAnswer {
  status: number;
  headers: Record<string, string>;
  body: ErrorBody;
}

/** The answer to a request that failed by `error`; the adapter uses it for refused upgrades. */
export function httpErrorAnswer(error: ChatError, requestId: string): HttpErrorAnswer {
  const { status } = ERROR_CODES[error.code];
  const headers: Record<string, string> = {};
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.max(1, Math.ceil(error.retryAfterMs / 1000));
    headers['Retry-After'] = String(seconds);
    if (error.limit !== undefined) Object.assign(headers, rateLimitHeaders(error.limit, 0, seconds));
  }
  const { message, details, retryAfterMs, current, code } = error;
  const body: ErrorBody = { code, message, requestId };
  if (details !== undefined) body.details = details;
  if (retryAfterMs !== undefined) body.retryAfterMs = retryAfterMs;
  if (current !== undefined) body.current = current;
  return { status, headers, body };
}

/**
 * Any error as one for callers. What is not known to be the caller's fault becomes `internal`, in words that tell nothing of what
 * happened; the original is its `cause`.
 */
export function toChatError(error: unknown): ChatError {
  if (error instanceof ChatError) return error;
  if (error instanceof HttpException) return fromStatus(error.getStatus(), error);
  // The body parser's errors (http-errors) carry `status` and `type`.
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  if (typeof status === 'number' && typeof type === 'string' && status < 500) return fromStatus(status, error);
  return internal(error);
}

const WORDS: Partial<Record<number, [ErrorCode, string]>> = {
  401: ['unauthenticated', 'A valid access token is needed.'],
  403: ['forbidden', 'You may not do this.'],
  404: ['not_found', 'There is no such route.'],
  409: ['conflict', 'This conflicts with what is there.'],
  413: ['payload_too_large', 'The body of the request is too large.'],
  429: ['rate_limited', 'Too many requests.'],
  503: ['unavailable', 'The server cannot do this now.'],
  504: ['timeout', 'This took too long.'],
};

function fromStatus(status: number, cause: unknown): ChatError {
  const words = WORDS[status];
  if (words) return new ChatError(words[0], words[1], { cause });
  if (status >= 400 && status < 500) return new ChatError('validation_failed', 'The request cannot be read.', { cause });
  return internal(cause);
}

function internal(cause: unknown): ChatError {
  return new ChatError('internal', 'The server failed to do this.', { cause });
}
