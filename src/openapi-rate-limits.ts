import type { OpenAPIObject } from '@nestjs/swagger';

const RATE_LIMIT = {
  'RateLimit-Policy': {
    description:
      'The limit that this request counts against, as draft-ietf-httpapi-ratelimit-headers-10 has it: how many at once after a rest, and in how ' +
      'many seconds that is filled up again. Not with `LIMITS=off`.',
    schema: { type: 'string', example: '"user";q=500;w=10' },
  },
  RateLimit: {
    description: 'How many are left, and in how many seconds all of them are.',
    schema: { type: 'string', example: '"user";r=499;t=1' },
  },
};

const REFUSED = {
  ...RATE_LIMIT,
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
