import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Authenticator } from './authenticator.js';
import type { AuthenticatedRequest } from './current-user.js';
import { ExpiredCredential } from './expired-credential.js';
import type { Principal } from './principal.js';
import { IS_PUBLIC } from './public.js';
import { RequestLimits } from './request-limits.js';
import { Revocations } from './revocations.js';

/** What the adapter hands to the gateway's handlers: the connection, authenticated at the upgrade. */
interface SocketCommand {
  session: { principal: Principal };
}

/**
 * Lets in who has a valid access token or API key: REST routes by their `Authorization` header, socket commands by the principal of
 * their connection, asked again for every command. Requests that it refuses count against their address.
 */
@Injectable()
export class JwtGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly revocations: Revocations,
    private readonly limits: RequestLimits,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return context.getType() === 'ws' ? this.#allowCommand(context) : this.#allowRequest(context);
  }

  #allowCommand(context: ExecutionContext): boolean {
    const { principal } = context.switchToWs().getData<SocketCommand>().session;
    if (principal.expiresAt <= Date.now()) throw new ExpiredCredential('access token');
    this.revocations.assertValid(principal);
    return true;
  }

  async #allowRequest(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    try {
      await this.authenticator.authenticateRequest(request);
    } catch (error) {
      // The guards behind this one do not hear of it: who shows what does not count could ask without end. It counts against his address,
      // since he who has an ended token of somebody's must not use up what that one has.
      this.limits.take(request, http.getResponse(), null);
      throw error;
    }
    return true;
  }
}
