import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import type { AuthenticatedRequest } from './current-user.js';

/** Holds each user's REST requests to the limit that his socket commands share. Socket commands are counted by the gateway. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(private readonly limits: RateLimits) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const retryAfterMs = principal ? this.limits.takeCommand(principal.userId) : 0;
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs);
    return true;
  }
}
