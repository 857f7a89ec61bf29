/** The limits by the names that the `RateLimit` headers have for them, and what each holds. */
export const RATE_LIMITS = {
  user: 'REST requests and socket commands of one user',
  address: 'REST requests of one address without a token that counts, and those that fail before anybody asks whose they are',
  account: 'attempts to log in to one account',
  logins: 'attempts to log in from one address',
  registrations: 'accounts made from one address',
  guests: 'guests of one address',
  handshakes: 'WebSocket handshakes of one address',
  connections: 'open sockets of one user',
  room: 'messages sent to one room',
  joins: 'joins of one user',
  reports: 'reports of one user',
} as const;

export interface RateLimitPolicy {
  name: keyof typeof RATE_LIMITS;
  /** Given at once after a rest. */
  quota: number;
  /** In which so many are given again; a cap of what is there at once has none. */
  windowSeconds?: number;
}

/**
 * What the IETF's draft-ietf-httpapi-ratelimit-headers-10 has of a limit and of what a caller has left of it.
 * @param resetSeconds until he has more: with something left all of it, with nothing left the next one
 */
export function rateLimitHeaders(
  { name, quota, windowSeconds }: RateLimitPolicy,
  left: number,
  resetSeconds: number,
): Record<string, string> {
  return {
    'RateLimit-Policy': `"${name}";q=${quota}${windowSeconds === undefined ? '' : `;w=${windowSeconds}`}`,
    RateLimit: `"${name}";r=${left};t=${resetSeconds}`,
  };
}
