import type { SharedLimit } from './shared-limit.js';

/**
 * What the IETF's draft-ietf-httpapi-ratelimit-headers-10 has of a limit and of what a key has left of it. A bucket's quota is its burst,
 * and its window the time in which an empty one fills.
 */
export function rateLimitHeaders(name: string, limit: SharedLimit, key: string): Record<string, string> {
  const { tokens, fullInMs } = limit.standing(key);
  return {
    'RateLimit-Policy': `"${name}";q=${limit.rate.burst};w=${limit.windowSeconds}`,
    RateLimit: `"${name}";r=${tokens};t=${Math.ceil(fullInMs / 1000)}`,
  };
}
