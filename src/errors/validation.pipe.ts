import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import type { ErrorDetail } from '../protocol/index.js';
import { ChatError } from './chat-error.js';

/** Far beyond any DTO; the validators recurse, and would overflow the stack on what JSON.parse accepts. */
const MAX_DEPTH = 64;
const MAX_DETAILS = 20;

/** The one pipe for REST input: unknown fields are refused, nothing is converted that its DTO does not say, failures are `validation_failed`. */
export function validationPipe(): ValidationPipe {
  return new InputPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    transform: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => validationFailed(detailsOf(errors)),
  });
}

function validationFailed(details: ErrorDetail[]): ChatError {
  return new ChatError('validation_failed', 'The request is not valid.', { details: details.slice(0, MAX_DETAILS) });
}

@Injectable()
class InputPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'body' && isTooDeep(value)) {
      throw validationFailed([{ path: '', message: `must nest at most ${MAX_DEPTH} levels` }]);
    }
    return (await super.transform(value, metadata)) as unknown;
  }
}

function isTooDeep(value: unknown): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((container) => Object.values(container)).filter(isContainer);
  }
  return false;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function detailsOf(errors: ValidationError[], parent = ''): ErrorDetail[] {
  return errors.flatMap((error) => {
    const path = parent === '' ? error.property : `${parent}.${error.property}`;
    const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
      path,
      message: rule === 'whitelistValidation' ? 'is not a known field' : message,
    }));
    return [...own, ...detailsOf(error.children ?? [], path)];
  });
}
