import { applyDecorators, type CallHandler, type ExecutionContext, HttpCode, type NestInterceptor, UseInterceptors } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import type { Response } from 'express';
import { type Observable, tap } from 'rxjs';
import { DryRunBody } from './admin.dto.js';

/** What would go, for a handler that is `RemovesInSilence`. */
export function wouldGo(count: number | boolean): DryRunBody {
  return { dryRun: true, count: Number(count) };
}

/** On a route that takes something away and answers 204: what its handler returns of a dry run is answered by 200. */
export function RemovesInSilence(whatCounts: string): MethodDecorator {
  return applyDecorators(
    HttpCode(204),
    ApiNoContentResponse({ description: 'It is done.' }),
    ApiOkResponse({ type: DryRunBody, description: `With \`dryRun=true\`: ${whatCounts}` }),
    UseInterceptors(PreviewAnswer),
  );
}

class PreviewAnswer implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(tap((preview) => preview !== undefined && response.status(200)));
  }
}
