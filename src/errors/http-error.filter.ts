import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { randomUUID } from 'node:crypto';
import { ERROR_CODES } from '../protocol/index.js';
import { httpErrorAnswer, toChatError } from './http-error.js';

/** Answers every failed HTTP request with an `ErrorBody`. A failure of the server goes with its cause, which callers never see, into the request's log line. */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request & { id?: unknown }>();
    const response = host.switchToHttp().getResponse<Response & { err?: Error }>();
    const error = toChatError(exception);
    const requestId = typeof request.id === 'string' || typeof request.id === 'number' ? String(request.id) : randomUUID();
    if (ERROR_CODES[error.code].status >= 500) response.err = error.cause instanceof Error ? error.cause : error;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { status, headers, body } = httpErrorAnswer(error, requestId);
    response.status(status).set(headers).json(body);
  }
}
