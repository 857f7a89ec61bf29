import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ChatError } from '../errors/chat-error.js';
import type { AuthenticatedRequest } from './current-user.js';
import type { Principal } from './principal.js';
import { IS_PUBLIC } from './public.js';
import { Revocations } from './revocations.js';
import { expiredToken, TokenService } from './tokens.service.js';
import { bearerToken } from './upgrade-credentials.js';
import { UserDirectory } from './user-directory.js';

/** What the adapter hands to the gateway's handlers: the connection, authenticated at the upgrade. */
interface SocketCommand {
  session: { principal: Principal };
}

/**
 * Lets in who has a valid access token: REST routes by their `Authorization` header, socket commands by the principal of their connection,
 * asked again for every command. The ladder of the handshake is the Authenticator's.
 */
@Injectable()
export class JwtGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: TokenService,
    private readonly revocations: Revocations,
    private readonly directory: UserDirectory,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return context.getType() === 'ws' ? this.#allowCommand(context) : this.#allowRequest(context);
  }

  #allowCommand(context: ExecutionContext): boolean {
    const { principal } = context.switchToWs().getData<SocketCommand>().session;
    if (principal.expiresAt <= Date.now()) throw expiredToken();
    this.revocations.assertValid(principal);
    return true;
  }

  async #allowRequest(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = bearerToken(request.headers.authorization);
    if (token === null) throw new ChatError('unauthenticated', 'An access token is needed: Authorization: Bearer <token>.');
    const principal = await this.tokens.verify(token);
    this.revocations.assertCurrent();
    this.revocations.assertValid(principal);
    await this.directory.open(principal);
    request.principal = principal;
    return true;
  }
}
