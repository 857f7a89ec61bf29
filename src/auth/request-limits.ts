import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Config } from '../config/config.js';
import { rateLimitHeaders } from '../errors/rate-limit-headers.js';
import { clientAddress } from '../limits/client-address.js';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import type { AuthenticatedRequest } from './current-user.js';
import type { Principal } from './principal.js';

/**
 * Holds each user's REST requests to the limit that his socket commands share, and those that no user made to one by address. Each request
 * is counted once, by whoever knows first whose it is. Probes and pages have no limit, and count when they fail.
 */
@Injectable()
export class RequestLimits {
  constructor(
    private readonly limits: RateLimits,
    private readonly config: Config,
  ) {}

  /**
   * Counts the request, if nothing has yet, and puts into its answer what is left.
   * @param principal whose request it is; null when nobody was let in by it
   * @throws {ChatError} rate_limited
   */
  take(request: AuthenticatedRequest, response: Response, principal: Principal | null): void {
    if (principal || isForApi(request) || hasBody(request)) this.#count(request, response, principal);
  }

  /** As `take`, for a request that has failed, whatever it asked for. */
  takeFailed(request: AuthenticatedRequest, response: Response): void {
    this.#count(request, response, null);
  }

  /** Whether nothing is left of the limit of the request's address. */
  isUsedUp(request: Request): boolean {
    return this.limits.isOn && this.limits.requests.standing(this.#addressOf(request)).tokens === 0;
  }

  #count(request: AuthenticatedRequest, response: Response, principal: Principal | null): void {
    if (!this.limits.isOn || request.isCounted) return;
    request.isCounted = true;
    const key = principal?.userId ?? this.#addressOf(request);
    const retryAfterMs = principal ? this.limits.takeCommand(key) : this.limits.takeRequest(key);
    const limit = principal ? this.limits.commandsOf(key) : this.limits.requests;
    if (retryAfterMs > 0) throw rateLimited(retryAfterMs, limit.policy);
    if (response.headersSent) return;
    const { tokens, fullInMs } = limit.standing(key);
    response.set(rateLimitHeaders(limit.policy, tokens, Math.ceil(fullInMs / 1000)));
  }

  #addressOf(request: Request): string {
    return clientAddress(request, this.config.trustedProxies);
  }
}

/** Paths are compared as the router does, whatever their case. */
export function isForApi({ path }: Request): boolean {
  return /^\/v1\//i.test(path);
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
