import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { randomUUID } from 'node:crypto';
import { ERROR_CODES } from '../protocol/index.js';
import { httpErrorAnswer, toChatError } from './http-error.js';

/** Answers every failed HTTP request with an `ErrorBody`. Failures of the server are logged with their cause, which callers never see. */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  readonly #logger = new Logger('Http');

  catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request & { id?: unknown }>();
    const response = host.switchToHttp().getResponse<Response>();
    const error = toChatError(exception);
    const requestId = typeof request.id === 'string' || typeof request.id === 'number' ? String(request.id) : randomUUID();
    if (ERROR_CODES[error.code].status >= 500)
      this.#logger.error({ err: error.cause ?? error, code: error.code, requestId }, error.message);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { status, headers, body } = httpErrorAnswer(error, requestId);
    response.status(status).set(headers).json(body);
  }
}
