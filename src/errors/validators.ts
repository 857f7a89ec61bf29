import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsBoolean, IsIn, IsInt, Matches, Max, Min, ValidateBy, ValidateIf, type ValidationOptions } from 'class-validator';
import { LIMITS, metaProblem, textProblem } from '../protocol/index.js';

type Check = (value: unknown) => string | null;

// The message names no property: `details` has the path.
function checked(name: string, check: Check, options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name,
      validator: {
        validate: (value: unknown) => check(value) === null,
        defaultMessage: (given) => check(given?.value) ?? 'is not valid',
      },
    },
    options,
  );
}

/** For a field that may be left out. Unlike `IsOptional` it lets no null through: null is another value than none. */
export function IfGiven(): PropertyDecorator {
  return ValidateIf((_, value) => value !== undefined);
}

/** A string of `min` to `max` UTF-16 code units that PostgreSQL can store: the rule that the socket has. */
export function IsText(min: number, max: number, options?: ValidationOptions): PropertyDecorator {
  return checked('isText', (value) => textProblem(value, min, max), options);
}

/** A `meta` object, as it was sent: the rule that the socket has. */
export function IsMeta(options?: ValidationOptions): PropertyDecorator {
  // class-transformer would copy it, and leave out keys such as toString.
  const asSent = Transform(({ obj, key }: { obj: Record<string, unknown>; key: string }) => obj[key]);
  return applyDecorators(asSent, checked('isMeta', metaProblem, options));
}

/** True or false itself, no text for it. */
export function IsFlag(): PropertyDecorator {
  return IsBoolean({ message: 'must be true or false' });
}

/** A whole number itself, no text for it; both bounds are good. */
export function IsInteger(min: number, max: number): PropertyDecorator {
  const message = `must be an integer from ${min} to ${max}`;
  return applyDecorators(IsInt({ message }), Min(min, { message }), Max(max, { message }));
}

/** One of these words, letter by letter. */
export function IsOneOf(words: readonly string[]): PropertyDecorator {
  return IsIn(words, { message: `must be one of ${words.join(', ')}` });
}

/** Why somebody did something to others, in his own words. */
export function IsReason(): PropertyDecorator {
  return IsText(1, LIMITS.reasonChars);
}

/** The id of a user, whether the server has seen him or not. */
export function IsUserId(options?: ValidationOptions): PropertyDecorator {
  return checked('isUserId', (value) => textProblem(value, 1, LIMITS.userIdChars), options);
}

const lowerCase = ({ value }: { value: unknown }) => (typeof value === 'string' ? value.toLowerCase() : value);

/** The id of a room or of another thing that is named by a UUID. In lower case from here on, as it is in events and acts. */
export function IsUuid(): PropertyDecorator {
  return applyDecorators(Transform(lowerCase), Matches(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, { message: 'must be a UUID' }));
}

const TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** A time in ISO 8601 with its zone, which becomes a `Date`. @param options.future it must not have come yet */
export function IsTime({ future = false } = {}): PropertyDecorator {
  const parsed = Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? (timeOf(value) ?? value) : value));
  const check: Check = (value) => {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) return 'must be a time, such as 2026-11-24T12:00:00.000Z';
    return future && value.getTime() <= Date.now() ? 'must be in the future' : null;
  };
  return applyDecorators(parsed, checked('isTime', check));
}

function timeOf(text: string): Date | null {
  const [, day] = TIME.exec(text) ?? [];
  // Date takes the 30th of February for the 2nd of March.
  return day !== undefined && new Date(day).toJSON()?.startsWith(day) ? new Date(text) : null;
}
