import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from './principal.js';

/** A REST request that has passed the JWT guard. */
export interface AuthenticatedRequest extends Request {
  principal?: Principal;
  /** All guards have let it in: what is refused from here on is not for want of standing. */
  isAdmitted?: boolean;
}

/** The `Principal` of the request; only on routes that are not public. */
export const CurrentUser = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<AuthenticatedRequest>().principal,
);
