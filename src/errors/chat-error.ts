import { ERROR_CODES, type ErrorCode, type ErrorData, type ErrorDetail } from '../protocol/index.js';
import type { RateLimitPolicy } from './rate-limit-headers.js';

export interface ChatErrorOptions {
  details?: ErrorDetail[];
  retryAfterMs?: number;
  /** With `rate_limited`: what refused, for the headers of an HTTP answer. */
  limit?: RateLimitPolicy;
  /** With `conflict`: the message as it stands, for the caller to merge with. */
  current?: unknown;
  cause?: unknown;
}

/** The one error that callers see, over the socket and over REST. Its message is written for them: no SQL, no stack, no secret. */
export class ChatError extends Error {
  override readonly name = 'ChatError';
  readonly details: ErrorDetail[] | undefined;
  readonly retryAfterMs: number | undefined;
  readonly limit: RateLimitPolicy | undefined;
  readonly current: unknown;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ChatErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
    this.limit = options.limit;
    this.current = options.current;
  }

  /** The `data` of an `error` frame. */
  toData(): ErrorData {
    const data: ErrorData = { code: this.code, message: this.message, retryable: ERROR_CODES[this.code].retryable };
    if (this.retryAfterMs !== undefined) data.retryAfterMs = this.retryAfterMs;
    if (this.details !== undefined) data.details = this.details;
    if (this.current !== undefined) data.current = this.current;
    return data;
  }
}

const MAX_DETAILS = 20;

/** For input over REST that does not keep the rules. @param details what is wrong, of which the first are told */
export function validationFailed(details: ErrorDetail[]): ChatError {
  return new ChatError('validation_failed', 'The request is not valid.', { details: details.slice(0, MAX_DETAILS) });
}

/** One text for a room that does not exist and for one that the caller may not know of. */
export const NO_SUCH_ROOM = 'There is no such room.';

export function roomNotFound(): ChatError {
  return new ChatError('not_found', NO_SUCH_ROOM);
}
