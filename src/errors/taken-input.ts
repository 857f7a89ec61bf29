import type { ExecutionContext, Type } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { getMetadataStorage } from 'class-validator';

/** The names of the fields that a route knows; undefined where it takes no query, or no body, at all. */
export interface TakenInput {
  readonly query: ReadonlySet<string> | undefined;
  readonly body: ReadonlySet<string> | undefined;
}

const known = new WeakMap<object, TakenInput>();

/** What the route of an HTTP request takes: the fields of its DTOs, as the validation pipe knows them. */
export function takenInput(context: ExecutionContext): TakenInput {
  const handler = context.getHandler();
  let taken = known.get(handler);
  if (!taken) known.set(handler, (taken = readFrom(context.getClass(), handler.name)));
  return taken;
}

function readFrom(controller: Type, method: string): TakenInput {
  const inputs = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as Record<string, { index: number }>;
  const classes = (Reflect.getMetadata('design:paramtypes', controller.prototype as object, method) ?? []) as Type[];
  const fieldsOf = (type: RouteParamtypes) => {
    const input = Object.entries(inputs).find(([key]) => key.startsWith(`${type}:`));
    if (!input) return undefined;
    const validated = getMetadataStorage().getTargetValidationMetadatas(classes[input[1].index]!, '', false, false);
    return new Set(validated.map(({ propertyName }) => propertyName));
  };
  return { query: fieldsOf(RouteParamtypes.QUERY), body: fieldsOf(RouteParamtypes.BODY) };
}
