import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { AuthenticatedRequest } from './current-user.js';
import { RequestLimits } from './request-limits.js';

/** Counts the REST requests that the JWT guard has let in; others are counted before. Socket commands are counted by the session. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(private readonly limits: RequestLimits) {}

  canActivate(context: ExecutionContext): true {
    if (context.getType() !== 'http') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    this.limits.take(request, http.getResponse(), request.principal ?? null);
    return true;
  }
}
