import { ChatError } from '../errors/chat-error.js';

// SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html
const WAITED_TOO_LONG = new Set(['55P03' /* lock_not_available */, '57014' /* query_canceled */]);
const CERTAINLY_NOT_RUN = /^(53|57P03|3D000|28)/; // insufficient resources, cannot connect now, no such database, authorization

/**
 * What a failed statement means to a caller: `unavailable` says certainly not done, `timeout` says that its fate is unknown.
 * Errors that the statement itself is to blame for (bad data, a violated constraint) come back as they are.
 */
export function translateDatabaseError(error: unknown, fate: 'not run' | 'unknown' = 'unknown'): unknown {
  if (error instanceof ChatError) return error;
  const cause = driverErrorOf(error);
  const state = sqlState(cause);
  if (fate === 'not run' || (state === undefined ? isUnconnected(cause) : CERTAINLY_NOT_RUN.test(state))) {
    return new ChatError('unavailable', 'The database is not available.', { cause: error });
  }
  const isWait = state === undefined ? isConnectionLoss(cause) : WAITED_TOO_LONG.has(state) || /^(08|57P0[12])/.test(state);
  return isWait ? new ChatError('timeout', 'The database did not answer in time.', { cause: error }) : error;
}

/**
 * Whether the error came from the connection, and not from PostgreSQL over it: a statement may still be under way there, so that the
 * connection must not be used again. An error of the caller's own is neither.
 */
export function isOfConnection(error: unknown): boolean {
  const cause = driverErrorOf(error);
  if (cause instanceof ChatError || sqlState(cause) !== undefined) return false;
  return isUnconnected(cause) || isConnectionLoss(cause);
}

/** The error of the driver, which TypeORM wraps; any other error itself. */
export function driverErrorOf(error: unknown): unknown {
  return (error as { driverError?: unknown } | null | undefined)?.driverError ?? error;
}

/** The SQLSTATE of an error that PostgreSQL itself answered. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && 'severity' in (error as object) ? code : undefined;
}

/** There was no connection, so that nothing was run: a transaction asks for one by itself. */
function isUnconnected(error: unknown): boolean {
  const { syscall, message } = (error ?? {}) as { syscall?: unknown; message?: unknown };
  return syscall === 'connect' || message === 'timeout exceeded when trying to connect';
}

// By its fields, not by `instanceof Error`, which does not know the errors of another realm, such as Node's own under a test runner.
function isConnectionLoss(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return true; // ECONNRESET, EPIPE and their like
  return typeof message === 'string' && /timeout|terminated|not queryable|ended/i.test(message);
}
