import { decodeJwt, errors, jwtVerify } from 'jose';
import type { Config } from '../config/config.js';
import { ProviderKeys } from './provider-keys.js';
import { claimAt } from './token-claims.js';

/** Access tokens of the identity provider that the configuration names. */
export class ProviderTokens {
  readonly #keys: ProviderKeys;
  readonly #terms: { issuer: string; audience: string; algorithms: string[]; requiredClaims: string[] };
  readonly #nameClaim: string;
  readonly #rolesClaim: string;

  /** Null when the configuration names none. Asks for its keys, and does not wait for them: a provider that is down keeps nobody from starting. */
  static of(config: Config): ProviderTokens | null {
    if (config.authJwksUrl === null) return null;
    const tokens = new ProviderTokens(config.authJwksUrl, config);
    tokens.#keys.refresh();
    return tokens;
  }

  private constructor(url: string, config: Config) {
    this.#keys = new ProviderKeys(url);
    const { authJwksIssuer, authJwksAudience, authJwksAlgorithms } = config;
    this.#terms = { issuer: authJwksIssuer!, audience: authJwksAudience!, algorithms: [...authJwksAlgorithms], requiredClaims: ['exp'] };
    this.#nameClaim = config.authNameClaim;
    this.#rolesClaim = config.authRolesClaim;
  }

  takes(algorithm: string): boolean {
    return this.#terms.algorithms.includes(algorithm);
  }

  /**
   * @returns the claims, with the name and roles where this server looks for them
   * @throws {ChatError} `unavailable` when the key can neither be had nor is known
   * @throws {errors.JOSEError} of which JWTExpired is one
   */
  async verify(token: string, { clockTolerance }: { clockTolerance: number }): Promise<object> {
    // Before its key is looked for: a stranger's token is no reason to ask the provider.
    if (decodeJwt(token).iss !== this.#terms.issuer) throw new errors.JWTInvalid('another issuer');
    const { payload } = await jwtVerify(token, (header) => this.#keys.find(header), { ...this.#terms, clockTolerance });
    // Its tokens are not this server's own, whatever they say.
    return { ...payload, parley: undefined, name: claimAt(payload, this.#nameClaim), roles: claimAt(payload, this.#rolesClaim) };
  }
}
