import { type ArgumentsHost, Injectable } from '@nestjs/common';
import { HttpErrorFilter } from '../errors/http-error.filter.js';
import { toChatError } from '../errors/http-error.js';
import { AuditLog } from './audit-log.js';
import { type AuditedRequest, entryOf } from './audited-request.js';

/**
 * Answers failed requests, and writes those that a guard refused into the audit log: on an `@Audited` route every refusal, elsewhere whom
 * the server does not let in (the banned). What a room's rules forbid its members is their daily life, and no entry.
 */
@Injectable()
export class AuditedErrorFilter extends HttpErrorFilter {
  constructor(private readonly log: AuditLog) {
    super();
  }

  override catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AuditedRequest>();
    const { code } = toChatError(exception);
    const isRefusal = code === 'forbidden' || (code === 'unauthenticated' && request.auditAction !== undefined);
    if (isRefusal && !request.isAdmitted) void this.log.note(entryOf(request, request.auditAction ?? 'access.request', 'denied', { code }));
    super.catch(exception, host);
  }
}
