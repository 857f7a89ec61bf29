import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { validationFailed } from './chat-error.js';

interface TakenInput {
  query: boolean;
  body: boolean;
}

/**
 * What a route does not take, it refuses: a query where its handler has none, and fields of a body where it has none. With the validation
 * pipe, which holds what a handler takes against its DTO, no field is ever ignored, on any route. Comes after the guards that say who asks.
 */
export class UndeclaredInputGuard implements CanActivate {
  readonly #taken = new WeakMap<object, TakenInput>();

  /** @throws {ChatError} validation_failed */
  canActivate(context: ExecutionContext): true {
    if (context.getType() !== 'http') return true; // commands have schemas of their own
    const { url, body } = context.switchToHttp().getRequest<{ url: string; body: unknown }>();
    const taken = this.#takenBy(context);
    const fields = [...(taken.query ? [] : namesInQuery(url)), ...(taken.body ? [] : namesInBody(body))];
    if (fields.length > 0) throw validationFailed(fields.map((path) => ({ path, message: 'is not a known field' })));
    return true;
  }

  #takenBy(context: ExecutionContext): TakenInput {
    const handler = context.getHandler();
    const known = this.#taken.get(handler);
    if (known) return known;
    const inputs = Object.keys((Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) ?? {}) as object);
    const takes = (type: RouteParamtypes) => inputs.some((input) => input.startsWith(`${type}:`));
    const taken = { query: takes(RouteParamtypes.QUERY), body: takes(RouteParamtypes.BODY) };
    this.#taken.set(handler, taken);
    return taken;
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
