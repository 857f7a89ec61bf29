import { Injectable } from '@nestjs/common';
import { JwtService, TokenExpiredError } from '@nestjs/jwt';
import { createHash, createSecretKey, randomUUID } from 'node:crypto';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';
import type { Principal } from './principal.js';
import { headerProblem, principalOf } from './token-claims.js';

/** What a new access token says; the rest is from configuration. */
export interface AccessClaims {
  sub: string;
  sid: string;
  name?: string;
  roles?: readonly string[];
}

const ALGORITHM = 'HS256';
const MAX_TOKEN_CHARS = 16_384;
/** How far the clock of another issuer may be ahead, for `nbf`. `exp` has no tolerance: sockets end by it. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Access tokens: JWT, HS256 with the configured secret, issuer and audience, whoever signed them. */
@Injectable()
export class TokenService {
  readonly #kid: string;
  // A key, not text: in text jsonwebtoken looks for a public key first, which takes it 0.4 ms a token. The types of @nestjs/jwt lack keys.
  readonly #secret: Buffer;

  constructor(
    private readonly jwt: JwtService,
    private readonly config: Config,
  ) {
    this.#kid = keyId(config.jwtSecret);
    this.#secret = createSecretKey(Buffer.from(config.jwtSecret)) as unknown as Buffer;
  }

  sign({ sub, sid, name, roles }: AccessClaims): Promise<string> {
    const claims = { sid, ...(name === undefined ? {} : { name }), ...(roles === undefined ? {} : { roles }) };
    return this.jwt.signAsync(claims, {
      secret: this.#secret,
      algorithm: ALGORITHM,
      issuer: this.config.jwtIssuer,
      audience: this.config.jwtAudience,
      subject: sub,
      jwtid: randomUUID(),
      expiresIn: this.config.accessTokenSeconds,
      keyid: this.#kid,
    });
  }

  /**
   * Checks signature, issuer, audience, times and the types of the claims; neither revocation nor bans.
   * What the token's header says is never followed: an algorithm, key or extension other than ours is refused.
   * @throws {ChatError} unauthenticated
   */
  async verify(token: string): Promise<Principal> {
    if (token.length > MAX_TOKEN_CHARS || headerProblem(token, ALGORITHM, this.#kid)) throw invalidToken();
    let claims: object;
    try {
      claims = await this.jwt.verifyAsync<object>(token, {
        secret: this.#secret,
        algorithms: [ALGORITHM],
        issuer: this.config.jwtIssuer,
        audience: this.config.jwtAudience,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
    } catch (error) {
      throw error instanceof TokenExpiredError ? expiredToken() : invalidToken(error);
    }
    const principal = principalOf(claims);
    if (!principal) throw invalidToken();
    if (principal.expiresAt <= Date.now()) throw expiredToken();
    return principal;
  }
}

/** The secret's JWK thumbprint (RFC 7638), cut to 16 characters. */
export function keyId(secret: string): string {
  const jwk = JSON.stringify({ k: Buffer.from(secret).toString('base64url'), kty: 'oct' });
  return createHash('sha256').update(jwk).digest('base64url').slice(0, 16);
}

function invalidToken(cause?: unknown): ChatError {
  return new ChatError('unauthenticated', 'The access token is not valid.', { cause });
}

export function expiredToken(): ChatError {
  return new ChatError('unauthenticated', 'The access token has expired.');
}
