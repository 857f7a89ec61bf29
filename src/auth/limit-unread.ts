import type { NextFunction, Response } from 'express';
import type { Authenticator } from './authenticator.js';
import type { AuthenticatedRequest } from './current-user.js';
import { isForApi, type RequestLimits } from './request-limits.js';

/** Largest body of somebody who has not proved himself: of those who log in, register or refresh. */
export const UNPROVEN_BODY_BYTES = 16_384;

/**
 * Middleware that comes before whatever reads a body, and counts what the guards would count too late: so nobody has the server read
 * bodies, or look for routes, beyond his limit.
 *
 * A request without credentials counts against its address at once. One with credentials is left to the guards, which check them, as long as
 * its address has something left and its body is small: then it costs nothing here, and if it fails before the guards, `LimitedErrorFilter`
 * counts it. Else the credentials are checked here, so that only a user who proves himself goes on, on his own limit.
 */
export function limitUnread(limits: RequestLimits, authenticator: Authenticator) {
  return (request: AuthenticatedRequest, response: Response, next: NextFunction): void => {
    if (request.headers.authorization === undefined || !isForApi(request)) {
      limits.take(request, response, null);
      return next();
    }
    if (!limits.isUsedUp(request) && !mayBeLarge(request)) return next();
    void prove(request, response, limits, authenticator).then(next, next);
  };
}

async function prove(
  request: AuthenticatedRequest,
  response: Response,
  limits: RequestLimits,
  authenticator: Authenticator,
): Promise<void> {
  try {
    limits.take(request, response, await authenticator.authenticateRequest(request));
    request.isProven = true;
  } catch (error) {
    limits.take(request, response, null);
    // It may be for a public route, which asks for no credentials.
    request.refusal = error;
  }
}

/** Or nobody can tell before it is read. */
function mayBeLarge({ headers }: AuthenticatedRequest): boolean {
  const isUntold = headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined;
  return isUntold || Number(headers['content-length'] ?? 0) > UNPROVEN_BODY_BYTES;
}
