import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsBoolean, IsDate, IsInt, Max, Min, MinDate } from 'class-validator';

/** Values of a query string, where everything is text: read strictly, and refused when they are anything else. */

const FLAGS: Record<string, boolean> = { true: true, false: false };
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

export function QueryFlag(): PropertyDecorator {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? (FLAGS[value] ?? value) : value)),
    IsBoolean({ message: 'must be true or false' }),
  );
}

/** Nothing but digits: neither 1e2, nor 0x10, nor nothing at all. */
export function QueryInteger(min: number, max: number): PropertyDecorator {
  const message = `must be an integer from ${min} to ${max}`;
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value)),
    IsInt({ message }),
    Min(min, { message }),
    Max(max, { message }),
  );
}

/** A moment in ISO 8601 with its offset, from 1970 on; read as a `Date`. */
export function QueryTime(): PropertyDecorator {
  const message = 'must be a time such as 2026-11-24T12:00:00Z';
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' && TIME.test(value) ? new Date(value) : value)),
    IsDate({ message }),
    MinDate(new Date(0), { message }),
  );
}
