import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { ChatError } from '../errors/chat-error.js';
import { LIMITS } from '../protocol/index.js';

const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** The request's `Idempotency-Key`, which must be there. A header's bytes have no sure encoding but ASCII. */
export const IdempotencyKey = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const key = context.switchToHttp().getRequest<Request>().headers['idempotency-key'];
  const problem = keyProblem(key);
  if (problem === null) return key as string;
  throw new ChatError('validation_failed', 'The request is not valid.', { details: [{ path: 'Idempotency-Key', message: problem }] });
});

function keyProblem(key: unknown): string | null {
  if (typeof key !== 'string' || key === '') return 'must be given';
  if (key.length > LIMITS.clientIdChars) return `must have at most ${LIMITS.clientIdChars} characters`;
  return PRINTABLE_ASCII.test(key) ? null : 'must be of printable ASCII characters';
}
