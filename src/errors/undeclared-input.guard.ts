import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { validationFailed } from './chat-error.js';
import { takenInput } from './taken-input.js';

/**
 * What a route does not take, it refuses: a query where its handler has none, and fields of a body where it has none. With the validation
 * pipe, which holds what a handler takes against its DTO, no field is ever ignored, on any route. Comes after the guards that say who asks.
 */
export class UndeclaredInputGuard implements CanActivate {
  /** @throws {ChatError} validation_failed */
  canActivate(context: ExecutionContext): true {
    if (context.getType() !== 'http') return true; // commands have schemas of their own
    const { url, body } = context.switchToHttp().getRequest<{ url: string; body: unknown }>();
    const taken = takenInput(context);
    const fields = [...(taken.query ? [] : namesInQuery(url)), ...(taken.body ? [] : namesInBody(body))];
    if (fields.length > 0) throw validationFailed(fields.map((path) => ({ path, message: 'is not a known field' })));
    return true;
  }
}

// As it was sent: a parser of queries leaves out names such as __proto__.
function namesInQuery(url: string): string[] {
  const start = url.indexOf('?');
  return start < 0 ? [] : [...new Set(new URLSearchParams(url.slice(start)).keys())];
}

function namesInBody(body: unknown): string[] {
  return typeof body === 'object' && body !== null ? Object.keys(body) : [];
}
