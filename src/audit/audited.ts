import { applyDecorators, UseInterceptors } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { AuditAction } from './audit-entry.js';
import { AuditInterceptor } from './audit.interceptor.js';

export const AuditedAction = Reflector.createDecorator<AuditAction>();

/**
 * On a route: each call of it is in the audit log, under this name. What changes something (every method but GET) is written as `begun`
 * before it is done, and is not done when that cannot be written; the outcome is written after. What only reads is written once, after.
 * Route parameters, and `user`, `sender`, `room` and `seq` of the query or body where the route takes them, are the entry's target, and
 * what was asked for is in its details (`dryRun` too). Refusals by the guards are written too.
 */
export function Audited(action: AuditAction): MethodDecorator {
  // On the route, not on the application: Nest would put an interceptor around each command of a socket too.
  return applyDecorators(AuditedAction(action), UseInterceptors(AuditInterceptor));
}
