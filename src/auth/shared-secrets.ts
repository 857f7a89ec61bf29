import { type JwtService, JsonWebTokenError } from '@nestjs/jwt';
import { createHash, createSecretKey } from 'node:crypto';
import type { TokenHeader } from './token-claims.js';

export const SECRET_ALGORITHM = 'HS256';

/** What is in a token and what it must have, beside the claims. */
export interface TokenTerms {
  issuer: string;
  audience: string;
}

interface Secret {
  kid: string;
  // A key, not text: in text jsonwebtoken looks for a public key first, which takes it 0.4 ms a token. The types of @nestjs/jwt lack keys.
  key: Buffer;
}

/**
 * Tokens by HS256 with secrets that others may know too. The first one signs, all verify: so a secret is changed by putting the new
 * one before it, and taking the old one away when its last token has expired.
 */
export class SharedSecrets {
  readonly #secrets: readonly Secret[];

  constructor(
    private readonly jwt: JwtService,
    secrets: readonly string[],
  ) {
    this.#secrets = secrets.map((secret) => ({ kid: keyId(secret), key: createSecretKey(Buffer.from(secret)) as unknown as Buffer }));
  }

  sign(
    claims: object,
    { subject, tokenId, seconds, ...terms }: TokenTerms & { subject: string; tokenId: string; seconds: number },
  ): Promise<string> {
    const { kid, key } = this.#secrets[0]!;
    const given = { subject, jwtid: tokenId, expiresIn: seconds, keyid: kid };
    return this.jwt.signAsync(claims, { secret: key, algorithm: SECRET_ALGORITHM, ...given, ...terms });
  }

  /**
   * A token that names its key is tried with that one alone, another one with each.
   * @returns the claims @throws {JsonWebTokenError} of which TokenExpiredError is one
   */
  async verify(token: string, { kid }: TokenHeader, terms: TokenTerms & { clockTolerance: number }): Promise<object> {
    let failure: unknown = new JsonWebTokenError('unknown key');
    for (const secret of this.#secrets) {
      if (kid !== undefined && kid !== secret.kid) continue;
      try {
        return await this.jwt.verifyAsync<object>(token, { secret: secret.key, algorithms: [SECRET_ALGORITHM], ...terms });
      } catch (error) {
        failure = error;
        // Any other failure is of a token that this very secret has signed.
        if (!(error instanceof JsonWebTokenError && error.message === 'invalid signature')) break;
      }
    }
    throw failure;
  }
}

/** The secret's JWK thumbprint (RFC 7638), cut to 16 characters. */
export function keyId(secret: string): string {
  const jwk = JSON.stringify({ k: Buffer.from(secret).toString('base64url'), kty: 'oct' });
  return createHash('sha256').update(jwk).digest('base64url').slice(0, 16);
}
