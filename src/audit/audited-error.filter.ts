import { type ArgumentsHost, Injectable } from '@nestjs/common';
import { HttpErrorFilter } from '../errors/http-error.filter.js';
import { toChatError } from '../errors/http-error.js';
import { AuditLog } from './audit-log.js';
import { type AuditedRequest, entryOf } from './audited-request.js';

/**
 * Answers failed requests, and writes those that a guard refused into the audit log: on an `@Audited` route every refusal, elsewhere whom
 * the server does not let in (the banned), and who shows a false token or key, also when he is told that he asks too often. What a room's
 * rules forbid its members is their daily life, and no entry; nor is a request without a token, or with one that has expired.
 */
@Injectable()
export class AuditedErrorFilter extends HttpErrorFilter {
  constructor(private readonly log: AuditLog) {
    super();
  }

  override catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AuditedRequest>();
    const { code } = toChatError(exception);
    const { auditAction, falseCredential, isAdmitted } = request;
    const isRefusal = code === 'forbidden' || falseCredential !== undefined || (code === 'unauthenticated' && auditAction !== undefined);
    if (isRefusal && !isAdmitted) {
      const details = { code, ...(falseCredential && { credential: falseCredential }) };
      void this.log.note(entryOf(request, auditAction ?? 'access.request', 'denied', details));
    }
    super.catch(exception, host);
  }
}
