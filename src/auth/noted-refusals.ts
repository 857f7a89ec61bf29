import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { catchError, type Observable, throwError } from 'rxjs';
import type { AuditAction } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import { type AuditedRequest, entryOf } from '../audit/audited-request.js';
import { toChatError } from '../errors/http-error.js';
import { RefreshTokenReuse } from './refresh-token-reuse.js';

const Action = Reflector.createDecorator<AuditAction>();
/** What is wrong with a request itself, or with the server, says nothing of who asks. */
const REFUSALS = new Set(['unauthenticated', 'forbidden', 'conflict', 'rate_limited']);

@Injectable()
class NotedRefusalsInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly log: AuditLog,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const action = this.reflector.get(Action, context.getHandler());
    const request = context.switchToHttp().getRequest<AuditedRequest>();
    return next.handle().pipe(
      catchError((error: unknown) => {
        this.#note(request, action, error);
        return throwError(() => error);
      }),
    );
  }

  // The answer does not wait for it: how long a refusal takes must not say why it came.
  #note(request: AuditedRequest, action: AuditAction, error: unknown): void {
    const { code, cause } = toChatError(error);
    if (!REFUSALS.has(code)) return;
    const { username } = (request.body ?? {}) as { username?: unknown };
    const claimed = typeof username === 'string' ? username : null;
    const entry = { ...entryOf(request, action, 'denied', { code }), actor: { kind: 'anonymous' as const, id: claimed } };
    if (cause instanceof RefreshTokenReuse) void this.log.note({ ...entry, action: 'login.reuse', target: cause.session });
    else void this.log.note(entry);
  }
}

/** On a way in: whoever is not let in by it is in the audit log, with the username that he claimed. Who is let in is not. */
export function NotesRefusals(action: AuditAction): MethodDecorator {
  return applyDecorators(Action(action), UseInterceptors(NotedRefusalsInterceptor));
}
