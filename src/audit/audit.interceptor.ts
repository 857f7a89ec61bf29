import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { catchError, concatMap, from, type Observable, switchMap } from 'rxjs';
import { toChatError } from '../errors/http-error.js';
import { AuditLog } from './audit-log.js';
import { type AuditedRequest, entryOf } from './audited-request.js';

/** Writes each call of an `@Audited` route. Runs when every guard has let it in. */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(private readonly log: AuditLog) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AuditedRequest>();
    const action = request.auditAction!;
    const isRead = request.method === 'GET';
    const handled = () =>
      next.handle().pipe(
        catchError(async (error: unknown) => {
          await this.log.note(entryOf(request, action, 'failed', { code: toChatError(error).code }));
          throw error;
        }),
        concatMap(async (answer: unknown) => {
          // What is done is not undone by a lost entry: its `begun` is there. What was only read is not shown.
          await (isRead ? this.log.record(entryOf(request, action, 'ok')) : this.log.note(entryOf(request, action, 'ok')));
          return answer;
        }),
      );
    // An act that would leave no trace is not done: it fails as the log did.
    return isRead ? handled() : from(this.log.record(entryOf(request, action, 'begun'))).pipe(switchMap(handled));
  }
}
