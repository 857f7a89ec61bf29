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
  // TypeORM wraps the driver's error.
  const cause = (error as { driverError?: unknown }).driverError ?? error;
  const state = sqlState(cause);
  if (fate === 'not run' || (state !== undefined && CERTAINLY_NOT_RUN.test(state))) {
    return new ChatError('unavailable', 'The database is not available.', { cause: error });
  }
  if (state === undefined || WAITED_TOO_LONG.has(state) || /^(08|57P0[12])/.test(state)) {
    return cause instanceof Error && isConnectionLoss(cause, state)
      ? new ChatError('timeout', 'The database did not answer in time.', { cause: error })
      : error;
  }
  return error;
}

function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && 'severity' in (error as object) ? code : undefined;
}

function isConnectionLoss(error: Error, state: string | undefined): boolean {
  if (state !== undefined) return true;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return true; // ECONNRESET, EPIPE and their like
  return /timeout|terminated|not queryable|ended/i.test(error.message);
}
