import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import type { ErrorDetail } from '../protocol/index.js';
import { validationFailed } from './chat-error.js';

/** Far beyond any DTO; the validators recurse, and would overflow the stack on what JSON.parse accepts. */
const MAX_DEPTH = 64;

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

@Injectable()
class InputPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // Nest runs global pipes on socket commands too: those are checked already, and hold their whole connection.
    if (!this.toValidate(metadata)) return value;
    const problem = metadata.type === 'body' || metadata.type === 'query' ? structureProblem(value) : null;
    if (problem) throw validationFailed([problem]);
    return (await super.transform(value, metadata)) as unknown;
  }
}

// The validators drop these names in silence where a DTO has its own. Within `meta` all but one are the caller's.
const UNSAFE_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

function structureProblem(value: unknown): ErrorDetail | null {
  let level = [{ path: '', container: value }];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return { path: '', message: `must nest at most ${MAX_DEPTH} levels` };
    const next: typeof level = [];
    for (const { path, container } of level) {
      if (!isContainer(container)) continue;
      for (const [key, inner] of Object.entries(container)) {
        const innerPath = path === '' ? key : `${path}.${key}`;
        if (depth === 1 ? UNSAFE_KEYS.has(key) : key === '__proto__') return { path: innerPath, message: 'is not a name that can be used' };
        if (isContainer(inner)) next.push({ path: innerPath, container: inner });
      }
    }
    level = next;
  }
  return null;
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
