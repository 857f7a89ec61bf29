import { ChatError } from '../errors/chat-error.js';
import { isGuest, isReserved, LIMITS, textProblem } from '../protocol/index.js';
import type { Minter, Principal } from './principal.js';
import { ADMIN_ROLE } from './scopes.js';

const NAME_CHARS = 200;
const MAX_ROLES = 64;
const ROLE_CHARS = 255;
const ID_CHARS = 255;
/** Users in a row who had tokens signed for each other. */
export const MAX_MINTERS = 8;
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
  /** The users who had it signed: the last one, then who had his token signed, and so on. */
  by?: readonly Minter[];
}

/** Where the name and the roles are among the claims; dots lead into objects. */
export interface ClaimNames {
  name: string;
  roles: string;
}

const OWN_CLAIMS: ClaimNames = { name: 'name', roles: 'roles' };

/** A claim of a token that is signed as it should be, by which no principal can be made. */
export class UnusableClaim extends Error {
  constructor(
    readonly claim: string,
    problem: string,
  ) {
    super(`"${claim}" claim ${problem}`);
  }
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
 * The verified claims as a principal. Null is none; what may be left out of a name or a list of roles is left out.
 * @throws {UnusableClaim} when one that is needed is missing, when one is what it cannot be, and when the token is from the future, where no
 * sign-out reaches it
 * @throws {ChatError} `unauthenticated` when the user is a backend's bot or a guest, and the token is not this server's
 */
export function principalOf(claims: object, names: ClaimNames = OWN_CLAIMS): Principal {
  const { iss, sub, sid, jti, iat, exp, parley } = claims as Record<string, unknown>;
  const mark = isOwnMark(parley) ? parley : null;
  const userId = textOf('sub', sub, LIMITS.userIdChars);
  if (isReserved(userId) && !(mark && isGuest(userId))) throw reservedUser();
  const madeAt = iat === undefined ? 0 : secondsOf('iat', iat);
  if (!mark && madeAt > Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS) throw new UnusableClaim('iat', 'is in the future');
  return {
    userId,
    name: nameOf(names.name, claimAt(claims, names.name)),
    roles: Object.freeze(rolesOf(names.roles, claimAt(claims, names.roles))),
    // What is no text is no login of this server.
    sessionId: textProblem(sid, 1, ID_CHARS) === null ? (sid as string) : null,
    ...(typeof iss === 'string' && { issuer: iss }),
    tokenId: tokenIdOf(jti),
    issuedAt: mark?.at ?? Math.max(0, madeAt - CLOCK_TOLERANCE_SECONDS),
    expiresAt: Math.floor(Math.min(secondsOf('exp', exp), LAST_SECOND) * 1000),
    ...(mark?.key !== undefined && { fromKey: mark.key }),
    ...(mark?.by !== undefined && { mintedBy: Object.freeze(mark.by) }),
  };
}

function textOf(claim: string, value: unknown, maxChars: number): string {
  const problem = textProblem(value, 1, maxChars);
  if (problem !== null) throw new UnusableClaim(claim, problem);
  return value as string;
}

function secondsOf(claim: string, value: unknown): number {
  if (!isSeconds(value)) throw new UnusableClaim(claim, 'must be a number');
  return value;
}

// A longer one is cut, between characters.
function nameOf(claim: string, value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string' || value.length <= NAME_CHARS) return textOf(claim, value, NAME_CHARS);
  return textOf(claim, value.slice(0, NAME_CHARS).replace(/[\ud800-\udbff]$/, ''), NAME_CHARS);
}

// A role that cannot be is left out, never cut: what is left of its name may be another's. Of too many the first ones count, and `admin`
// wherever it stands: who administers must not hang on the order of a list.
function rolesOf(claim: string, value: unknown): string[] {
  const given: unknown = typeof value === 'string' ? [value] : (value ?? []);
  if (!Array.isArray(given)) throw new UnusableClaim(claim, 'must be a list of roles, or one');
  if (!given.every((role) => typeof role === 'string')) throw new UnusableClaim(claim, 'must be a list of strings');
  const roles = given.filter((role) => textProblem(role, 1, ROLE_CHARS) === null);
  const first = roles.slice(0, MAX_ROLES);
  if (roles.includes(ADMIN_ROLE) && !first.includes(ADMIN_ROLE)) first[MAX_ROLES - 1] = ADMIN_ROLE;
  return first;
}

function tokenIdOf(jti: unknown): string | null {
  if (jti === undefined || jti === null) return null;
  return textOf('jti', typeof jti === 'number' ? String(jti) : jti, ID_CHARS);
}

function reservedUser(): ChatError {
  return new ChatError('unauthenticated', 'The ids bot:… and guest:… are given by this server alone: no token signed elsewhere is theirs.');
}

function isOwnMark(value: unknown): value is OwnMark {
  if (typeof value !== 'object' || value === null) return false;
  const { at, key, by } = value as Record<string, unknown>;
  return (
    isSeconds(at) &&
    (key === undefined || textProblem(key, 1, ID_CHARS) === null) &&
    (by === undefined || (Array.isArray(by) && by.length <= MAX_MINTERS && by.every(isMinter)))
  );
}

function isMinter(value: unknown): value is Minter {
  if (typeof value !== 'object' || value === null) return false;
  const { userId, issuedAt } = value as Record<string, unknown>;
  return textProblem(userId, 1, LIMITS.userIdChars) === null && isSeconds(issuedAt);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
