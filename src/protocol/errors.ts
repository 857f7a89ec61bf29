/** Every error code on the wire, with its HTTP status and whether the same request may succeed later. */
export const ERROR_CODES = {
  bad_frame: { status: 400, retryable: false },
  validation_failed: { status: 400, retryable: false },
  unknown_event: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  conflict: { status: 409, retryable: false },
  unrecoverable: { status: 410, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  rate_limited: { status: 429, retryable: true },
  internal: { status: 500, retryable: true },
  unavailable: { status: 503, retryable: true },
  timeout: { status: 504, retryable: true },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One thing that is wrong with an input: `path` is dotted, as in `members.3`; `''` is the whole. */
export interface ErrorDetail {
  path: string;
  message: string;
}

/** The `data` of an `error` frame, and of a refused room in `rooms.subscribe`. */
export interface ErrorData {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
  details?: ErrorDetail[];
  /** With `conflict`: the message as it stands. */
  current?: unknown;
}
