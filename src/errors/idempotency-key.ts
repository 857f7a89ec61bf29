import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { LIMITS } from '../protocol/index.js';
import { validationFailed } from './chat-error.js';

const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** The request's `Idempotency-Key`, which must be there. A header's bytes have no sure encoding but ASCII. */
export const IdempotencyKey = createParamDecorator((_: unknown, context: ExecutionContext): string => checked(keyOf(context)));

/** The same where it may be left out: then it is null. */
export const OptionalIdempotencyKey = createParamDecorator((_: unknown, context: ExecutionContext): string | null => {
  const key = keyOf(context);
  return key === undefined ? null : checked(key);
});

/** In the OpenAPI document: a key that may be left out. @param description what trying again with it comes to */
export function ApiIdempotencyKey(description: string): MethodDecorator {
  const schema = {
    type: 'string',
    minLength: 1,
    maxLength: LIMITS.clientIdChars,
    example: 'b1d0a6c2-53f5-4a80-a6f0-0a6b3f0c7d11',
  } as const;
  return applyDecorators(ApiHeader({ name: 'Idempotency-Key', required: false, description, schema }));
}

function keyOf(context: ExecutionContext): string | string[] | undefined {
  return context.switchToHttp().getRequest<Request>().headers['idempotency-key'];
}

function checked(key: unknown): string {
  const problem = keyProblem(key);
  if (problem === null) return key as string;
  throw validationFailed([{ path: 'Idempotency-Key', message: problem }]);
}

function keyProblem(key: unknown): string | null {
  if (typeof key !== 'string' || key === '') return 'must be given';
  if (key.length > LIMITS.clientIdChars) return `must have at most ${LIMITS.clientIdChars} characters`;
  return PRINTABLE_ASCII.test(key) ? null : 'must be of printable ASCII characters';
}
