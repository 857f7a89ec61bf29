import { type ArgumentsHost, Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { AuditLog } from '../audit/audit-log.js';
import { AuditedErrorFilter } from '../audit/audited-error.filter.js';
import { toChatError } from '../errors/http-error.js';
import { ERROR_CODES } from '../protocol/index.js';
import type { AuthenticatedRequest } from './current-user.js';
import { RequestLimits } from './request-limits.js';

/**
 * Counts each request that failed by its own fault before a guard counted it against its address: a route or URL that is none, a body that
 * cannot be read. One that is over the limit is told so instead, and one whose body would not be too large with good credentials, what is wrong
 * with his.
 */
@Injectable()
export class LimitedErrorFilter extends AuditedErrorFilter {
  constructor(
    log: AuditLog,
    private readonly limits: RequestLimits,
  ) {
    super(log);
  }

  override catch(exception: unknown, host: ArgumentsHost): void {
    super.catch(this.#answered(exception, host), host);
  }

  #answered(exception: unknown, host: ArgumentsHost): unknown {
    const { code } = toChatError(exception);
    if (ERROR_CODES[code].status >= 500) return exception;
    const http = host.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    try {
      this.limits.takeFailed(request, http.getResponse<Response>());
    } catch (limited) {
      return limited;
    }
    return code === 'payload_too_large' ? (request.refusal ?? exception) : exception;
  }
}
