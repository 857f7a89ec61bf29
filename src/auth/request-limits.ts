import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Config } from '../config/config.js';
import { rateLimitHeaders } from '../errors/rate-limit-headers.js';
import { clientAddress } from '../limits/client-address.js';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import type { Principal } from './principal.js';

/** Holds each user's REST requests to the limit that his socket commands share, and those that no user made to one by address; probes have none. */
@Injectable()
export class RequestLimits {
  constructor(
    private readonly limits: RateLimits,
    private readonly config: Config,
  ) {}

  /**
   * Counts the request, once, and puts into its answer what is left.
   * @param principal whose request it is; null when nobody was let in by it
   * @throws {ChatError} rate_limited
   */
  take(request: Request, response: Response, principal: Principal | null): void {
    if (!this.limits.isOn || (!principal && !request.path.startsWith('/v1/'))) return;
    const key = principal?.userId ?? clientAddress(request, this.config.trustedProxies);
    const retryAfterMs = principal ? this.limits.takeCommand(key) : this.limits.takeRequest(key);
    const limit = principal ? this.limits.commandsOf(key) : this.limits.requests;
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs, limit.policy);
    const { tokens, fullInMs } = limit.standing(key);
    response.set(rateLimitHeaders(limit.policy, tokens, Math.ceil(fullInMs / 1000)));
  }
}
