import { LIMITS, textProblem } from '../protocol/index.js';
import type { Principal } from './principal.js';

const NAME_CHARS = 200;
const MAX_ROLES = 64;
const ID_CHARS = 255;
/** The end of the year 9999: what a Date still shows in four digits. */
const LAST_SECOND = 253_402_300_799;

/** How far the clock of another issuer, or of an instance, may be ahead. `exp` has no tolerance: sockets end by it. */
export const CLOCK_TOLERANCE_SECONDS = 5;

/** The claim `parley`, which this server puts into the tokens that it signs itself. */
export interface OwnMark {
  /** When it was signed, by the database's clock (Unix seconds). `iat` is what the clock of the instance said. */
  at: number;
  /** The API key that it was signed for. */
  key?: string;
}

/** What the header of a token says, which proves nothing yet. */
export interface TokenHeader {
  alg: string;
  /** Undefined when the token names no key. */
  kid: string | undefined;
}

/** Null for a header that no token of ours or of a provider has. Never throws. */
export function headerOf(token: string): TokenHeader | null {
  const header = decodeHeader(token);
  if (!header) return null;
  const { alg, kid, crit } = header;
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) return null;
  // RFC 7515: an extension that is critical and not understood makes the token invalid. None is understood.
  return crit === undefined ? { alg, kid } : null;
}

function decodeHeader(token: string): Record<string, unknown> | null {
  const [encoded, , signature, rest] = token.split('.', 4);
  if (!encoded || signature === undefined || rest !== undefined) return null;
  try {
    const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null && !Array.isArray(header) ? (header as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The claim of this name; without one, what its dots lead to, as in `realm_access.roles`. */
export function claimAt(claims: object, name: string): unknown {
  if (Object.hasOwn(claims, name)) return (claims as Record<string, unknown>)[name];
  return name.split('.').reduce<unknown>((at, step) => {
    const isThere = typeof at === 'object' && at !== null && Object.hasOwn(at, step);
    return isThere ? (at as Record<string, unknown>)[step] : undefined;
  }, claims);
}

/**
 * The verified claims as a principal; null when a claim that is needed is missing, when one has another type than it should, and when the
 * token is from the future, where no sign-out reaches it.
 */
export function principalOf(claims: object): Principal | null {
  const { sub, name, roles, sid, jti, iat, exp, parley } = claims as Record<string, unknown>;
  const mark = isOwnMark(parley) ? parley : null;
  const valid =
    textProblem(sub, 1, LIMITS.userIdChars) === null &&
    isSeconds(exp) &&
    (iat === undefined || isSeconds(iat)) &&
    (mark !== null || iat === undefined || iat <= Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS) &&
    isOptional(name, 0, NAME_CHARS) &&
    isOptional(sid, 1, ID_CHARS) &&
    isOptional(jti, 1, ID_CHARS) &&
    (roles === undefined ||
      (Array.isArray(roles) && roles.length <= MAX_ROLES && roles.every((role) => textProblem(role, 1, ID_CHARS) === null)));
  if (!valid) return null;
  return {
    userId: sub as string,
    name: (name as string | undefined) || null,
    roles: Object.freeze((roles as string[] | undefined) ?? []),
    sessionId: (sid as string | undefined) ?? null,
    tokenId: (jti as string | undefined) ?? null,
    issuedAt: mark?.at ?? Math.max(0, (iat ?? 0) - CLOCK_TOLERANCE_SECONDS),
    expiresAt: Math.floor(Math.min(exp, LAST_SECOND) * 1000),
    ...(mark?.key !== undefined && { fromKey: mark.key }),
  };
}

function isOwnMark(value: unknown): value is OwnMark {
  if (typeof value !== 'object' || value === null) return false;
  const { at, key } = value as Record<string, unknown>;
  return isSeconds(at) && isOptional(key, 1, ID_CHARS);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isOptional(value: unknown, min: number, max: number): boolean {
  return value === undefined || textProblem(value, min, max) === null;
}
