import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsFlag, IsInteger } from './validators.js';

/** Values of a URL, in its query or its path, where everything is text: read strictly, and refused when they are anything else. */

/** `true` or `false`. */
export function UrlFlag(): PropertyDecorator {
  const parsed = Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value));
  return applyDecorators(parsed, IsFlag());
}

/** Nothing but digits, at most 16: neither 1e2, nor 0x10, nor nothing at all. */
export function UrlInteger(min: number, max: number): PropertyDecorator {
  const parsed = Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value,
  );
  return applyDecorators(parsed, IsInteger(min, max));
}
