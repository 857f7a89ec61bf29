import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ChatError } from '../errors/chat-error.js';
import type { AuthenticatedRequest } from './current-user.js';
import type { Principal } from './principal.js';
import { ADMIN_ROLE, RequireScope, type Scope } from './scopes.js';

/** Holds each route that names a scope to it. Runs after the JWT guard. */
@Injectable()
export class ScopeGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const scope = this.reflector.getAllAndOverride(RequireScope, [context.getHandler(), context.getClass()]);
    if (scope === undefined) return true;
    const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
    if (!principal || !hasScope(principal, scope)) throw new ChatError('forbidden', 'Only administrators may do this.');
    return true;
  }
}

/** A user by his role, a backend by its key. */
function hasScope({ roles, key }: Principal, scope: Scope): boolean {
  return key ? key.scopes.includes(scope) : roles.includes(ADMIN_ROLE);
}
