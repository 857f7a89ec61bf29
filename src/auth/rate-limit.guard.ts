import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { Config } from '../config/config.js';
import { clientAddress } from '../limits/client-address.js';
import { rateLimitHeaders } from '../limits/rate-limit-headers.js';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import type { AuthenticatedRequest } from './current-user.js';

/**
 * Holds each user's REST requests to the limit that his socket commands share, and those without a token to one by address; probes have
 * none. Every answer tells what is left. Socket commands are counted by the session.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly limits: RateLimits,
    private readonly config: Config,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http' || !this.limits.isOn) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    const { principal, path } = request;
    if (!principal && !path.startsWith('/v1/')) return true;
    const key = principal?.userId ?? clientAddress(request, this.config.trustedProxies);
    const retryAfterMs = principal ? this.limits.takeCommand(key) : this.limits.takeRequest(key);
    const [name, limit] = principal ? (['user', this.limits.commands] as const) : (['address', this.limits.requests] as const);
    http.getResponse<Response>().set(rateLimitHeaders(name, limit, key));
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs);
    return true;
  }
}
