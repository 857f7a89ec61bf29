import type { OpenAPIObject } from '@nestjs/swagger';
import { RATE_LIMITS } from './errors/rate-limit-headers.js';

const RATE_LIMIT = {
  'RateLimit-Policy': {
    description:
      "The user's limit, or the address's, that this request counts against, as draft-ietf-httpapi-ratelimit-headers-10 has it: how many at once " +
      'after a rest, and in how many seconds that is filled up again. Not with `LIMITS=off`.',
    schema: { type: 'string', example: '"user";q=500;w=10' },
  },
  RateLimit: {
    description: 'How many are left, and in how many seconds all of them are.',
    schema: { type: 'string', example: '"user";r=499;t=1' },
  },
};

const NAMES = Object.entries(RATE_LIMITS).map(([name, what]) => `\`${name}\`: ${what}`);

const REFUSED = {
  'RateLimit-Policy': {
    description: `The limit that refused. ${NAMES.join('; ')}. A cap of what is open at once has no \`w\`.`,
    schema: { type: 'string', example: '"joins";q=200;w=10' },
  },
  RateLimit: {
    description: 'That nothing is left of it, and in how many seconds to try again.',
    schema: { type: 'string', example: '"joins";r=0;t=1' },
  },
  'Retry-After': { description: 'In how many seconds to try again.', schema: { type: 'integer', minimum: 1, example: 1 } },
};

/** Adds to each route what its answers tell of the rate limits; probes have none. */
export function describeRateLimits({ paths }: OpenAPIObject): void {
  for (const [path, { get, post, put, patch, delete: remove }] of Object.entries(paths)) {
    if (!path.startsWith('/v1/')) continue;
    const responses = [get, post, put, patch, remove].flatMap((operation) => Object.entries(operation?.responses ?? {}));
    for (const [status, response] of responses) {
      if (status.startsWith('2')) Object.assign(response!, { headers: RATE_LIMIT });
      if (status === '429') Object.assign(response!, { headers: REFUSED });
    }
  }
}
