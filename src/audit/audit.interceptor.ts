import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { catchError, concatMap, from, type Observable, switchMap } from 'rxjs';
import { toChatError } from '../errors/http-error.js';
import type { AuditEntry, AuditOutcome } from './audit-entry.js';
import { AuditLog } from './audit-log.js';
import { answeredOf, askedOf, type AuditedRequest, entryOf } from './audited-request.js';

/** Writes each call of an `@Audited` route. Runs when every guard has let it in. */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(private readonly log: AuditLog) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AuditedRequest>();
    const isRead = request.method === 'GET';
    // Taken before the handler, which may change what was sent.
    const entry = entryOf(request, request.auditAction!, 'begun');
    const asked = askedOf(request);
    const finished = (outcome: AuditOutcome, more: Record<string, unknown>, target = entry.target): AuditEntry => {
      const details = { ...asked, ...more };
      return { ...entry, outcome, target, ...(Object.keys(details).length > 0 && { details }) };
    };
    const handled = () =>
      next.handle().pipe(
        catchError(async (error: unknown) => {
          await this.log.note(finished('failed', { code: toChatError(error).code }));
          throw error;
        }),
        concatMap(async (answer: unknown) => {
          const { target, details } = isRead ? { target: entry.target, details: {} } : answeredOf(request, answer);
          const done = finished('ok', details, target);
          // What is done is not undone by a lost entry: its `begun` is there. What was only read is not shown.
          await (isRead ? this.log.record(done) : this.log.note(done));
          return answer;
        }),
      );
    // An act that would leave no trace is not done: it fails as the log did.
    return isRead ? handled() : from(this.log.record(finished('begun', {}))).pipe(switchMap(handled));
  }
}
