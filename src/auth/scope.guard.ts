import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ChatError } from '../errors/chat-error.js';
import { ACTS_FOR } from './authenticator.js';
import type { AuthenticatedRequest } from './current-user.js';
import { hasScope, RequiredScope, type Scope } from './scopes.js';

/** Holds each route that names a scope to it. The last of the guards: whom it lets through is admitted. Commands of sockets need no scope. */
@Injectable()
export class ScopeGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const scope = this.reflector.get(RequiredScope, context.getHandler()) as Scope | undefined;
    // Who acts for another would be believed to be him, in `by` and in lists, where only the key was asked.
    if (scope !== undefined && request.headers[ACTS_FOR] !== undefined) {
      throw new ChatError('forbidden', 'An API key administers as itself: leave the header Parley-User out.');
    }
    if (scope !== undefined && !(request.principal && hasScope(request.principal, scope))) {
      throw new ChatError('forbidden', 'Only administrators may do this.');
    }
    request.isAdmitted = true;
    return true;
  }
}
