import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from './principal.js';

/** A REST request, and what the guards have found out of it. */
export interface AuthenticatedRequest extends Request {
  /** Whom its credentials proved. */
  principal?: Principal;
  /** Some rate limit has it already. */
  isCounted?: boolean;
  /** Its credentials were checked before its body was read, and are good. */
  isProven?: boolean;
  /** Or they are not, for this reason. */
  refusal?: unknown;
  /** All guards have let it in: what is refused from here on is not for want of standing. */
  isAdmitted?: boolean;
}

/** The `Principal` of the request; only on routes that are not public. */
export const CurrentUser = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<AuthenticatedRequest>().principal,
);
