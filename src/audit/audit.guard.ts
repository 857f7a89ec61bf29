import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { takenInput } from '../errors/taken-input.js';
import type { AuditedRequest } from './audited-request.js';
import { AuditedAction } from './audited.js';

/** Lets everybody pass, and notes what he asks for: a filter, which hears of those whom the next guards refuse, is not told the route. */
@Injectable()
export class AuditGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): true {
    if (context.getType() === 'http') {
      const request = context.switchToHttp().getRequest<AuditedRequest>();
      request.auditAction = this.reflector.get(AuditedAction, context.getHandler());
      request.takenInput = takenInput(context);
    }
    return true;
  }
}
