import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { AuthenticatedRequest } from '../auth/current-user.js';
import { ChatError } from '../errors/chat-error.js';

export const ADMIN_ROLE = 'admin';

/** Lets in whose token has the role `admin`. Runs after the JWT guard. */
@Injectable()
export class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
    if (!principal?.roles.includes(ADMIN_ROLE)) throw new ChatError('forbidden', 'Only administrators may do this.');
    return true;
  }
}
