import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, ApiResponse } from '@nestjs/swagger';
import { ERROR_CODES, type ErrorCode, type ErrorDetail } from '../protocol/index.js';

export class ErrorDetailBody implements ErrorDetail {
  @ApiProperty({ description: "Dotted path of the field; '' is the whole.", example: 'members.3' })
  path!: string;

  @ApiProperty({ example: 'must not be empty' })
  message!: string;
}

/** What every refused HTTP request is answered with, a refused upgrade too. */
export class ErrorBody {
  @ApiProperty({ enum: Object.keys(ERROR_CODES), enumName: 'ErrorCode', example: 'validation_failed' })
  code!: ErrorCode;

  @ApiProperty({ description: 'For people; programs go by `code`.', example: 'The request is not valid.' })
  message!: string;

  @ApiPropertyOptional({ type: [ErrorDetailBody], description: 'With `validation_failed`: what is wrong.' })
  details?: ErrorDetail[];

  @ApiPropertyOptional({ description: 'With retryable codes: when to try again; also in `Retry-After`.', example: 800 })
  retryAfterMs?: number;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'With `conflict`: the message as it stands.' })
  current?: unknown;

  @ApiProperty({ description: 'Names this request in the logs of the server.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  requestId!: string;
}

/** Even a route without input refuses what cannot be read, such as a request with too many headers. */
const ALWAYS: ErrorCode[] = ['validation_failed', 'internal', 'timeout', 'unavailable'];
/** What the guards of a route that needs a token refuse: bad tokens, banned users, and users who ask too often. */
const WITH_TOKEN: ErrorCode[] = ['unauthenticated', 'forbidden', 'rate_limited'];

/** Documents the errors of a route that needs a token: those named, those of the guards, and those of every route. */
export function ApiErrors(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  return ApiPublicErrors(...codes, ...WITH_TOKEN);
}

/** Documents the errors of a `@Public()` route: those named, and those of every route. */
export function ApiPublicErrors(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  const all = new Set([...codes, ...ALWAYS]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of all) byStatus.set(ERROR_CODES[code].status, [...(byStatus.get(ERROR_CODES[code].status) ?? []), code]);
  return applyDecorators(
    ...[...byStatus].map(([status, names]) =>
      ApiResponse({ status, type: ErrorBody, description: names.map((name) => `\`${name}\``).join(' or ') }),
    ),
  );
}
