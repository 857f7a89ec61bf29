import { type CryptoKey, decodeJwt, errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from 'jose';
import type { Config } from '../config/config.js';
import type { Principal } from './principal.js';
import { ProviderKeys } from './provider-keys.js';
import { type ClaimNames, principalOf, type TokenHeader } from './token-claims.js';

/** So many signatures are checked at most for a token that does not name its key: 0.2 ms each. */
export const MAX_TRIALS = 16;

/** Access tokens of the identity provider that the configuration names. */
export class ProviderTokens {
  readonly #keys: ProviderKeys;
  readonly #terms: { issuer: string; audience: string; algorithms: string[]; requiredClaims: string[] };
  readonly #claims: ClaimNames;

  /** Null when the configuration names none. Asks for its keys, and does not wait for them: a provider that is down keeps nobody from starting. */
  static of(config: Config): ProviderTokens | null {
    if (config.authJwksUrl === null) return null;
    const tokens = new ProviderTokens(config.authJwksUrl, config);
    tokens.#keys.start();
    return tokens;
  }

  private constructor(url: string, config: Config) {
    const { authJwksIssuer, authJwksAudience, authJwksAlgorithms } = config;
    this.#keys = new ProviderKeys(url, authJwksAlgorithms);
    this.#terms = { issuer: authJwksIssuer!, audience: authJwksAudience!, algorithms: [...authJwksAlgorithms], requiredClaims: ['exp'] };
    this.#claims = { name: config.authNameClaim, roles: config.authRolesClaim };
  }

  /** Asks for no keys by itself any more. */
  stop(): void {
    this.#keys.stop();
  }

  takes(algorithm: string): boolean {
    return this.#terms.algorithms.includes(algorithm);
  }

  /**
   * @throws {ChatError} `unavailable` when the key can neither be had now nor is known; `unauthenticated` for an id that is not the provider's to give
   * @throws {UnusableClaim | errors.JOSEError} of which JWTExpired is one
   */
  async verify(token: string, header: TokenHeader, { clockTolerance }: { clockTolerance: number }): Promise<Principal> {
    // Before its key is looked for: a stranger's token is no reason to ask the provider.
    const { iss, iat } = decodeJwt(token);
    if (iss !== this.#terms.issuer) throw new errors.JWTInvalid('another issuer');
    let trials = 0;
    for await (const key of this.#keys.candidates(header, iat)) {
      const claims = await this.#claimsBy(key, token, clockTolerance);
      // Neither the mark nor the logins of this server are in it, whatever it says.
      if (claims) return principalOf({ ...claims, parley: undefined, sid: undefined }, this.#claims);
      if (++trials === MAX_TRIALS) break;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }

  /** Null when another key has signed the token. */
  async #claimsBy(key: CryptoKey, token: string, clockTolerance: number): Promise<JWTPayload | null> {
    const terms: JWTVerifyOptions = { ...this.#terms, clockTolerance };
    try {
      return (await jwtVerify(token, key, terms)).payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return null;
      throw error;
    }
  }
}
