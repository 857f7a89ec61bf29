import { LIMITS, textProblem } from '../protocol/index.js';
import type { Principal } from './principal.js';

const NAME_CHARS = 200;
const MAX_ROLES = 64;
const ID_CHARS = 255;
/** The end of the year 9999: what a Date still shows in four digits. */
const LAST_SECOND = 253_402_300_799;

/** Why the token's header (not yet verified) is refused; null when the signature may be looked at. Never throws. */
export function headerProblem(token: string, algorithm: string, kid: string): string | null {
  const header = decodeHeader(token);
  if (!header) return 'no header';
  if (header['alg'] !== algorithm) return 'another algorithm';
  if (header['kid'] !== undefined && header['kid'] !== kid) return 'another key';
  // RFC 7515: an extension that is critical and not understood makes the token invalid. None is understood.
  if (header['crit'] !== undefined) return 'a critical extension';
  return null;
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

/** The verified claims as a principal; null when a claim that is needed is missing, or one has another type than it should. */
export function principalOf(claims: object): Principal | null {
  const { sub, name, roles, sid, jti, iat, exp } = claims as Record<string, unknown>;
  const valid =
    textProblem(sub, 1, LIMITS.userIdChars) === null &&
    isSeconds(exp) &&
    (iat === undefined || isSeconds(iat)) &&
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
    issuedAt: iat ?? 0,
    expiresAt: Math.floor(Math.min(exp, LAST_SECOND) * 1000),
  };
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isOptional(value: unknown, min: number, max: number): boolean {
  return value === undefined || textProblem(value, min, max) === null;
}
