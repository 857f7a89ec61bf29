import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { JwtService, TokenExpiredError } from '@nestjs/jwt';
import { errors } from 'jose';
import { randomUUID } from 'node:crypto';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';
import { ExpiredCredential } from './expired-credential.js';
import type { Minter, Principal } from './principal.js';
import { ProviderTokens } from './provider-tokens.js';
import { SECRET_ALGORITHM, SharedSecrets } from './shared-secrets.js';
import { CLOCK_TOLERANCE_SECONDS, headerOf, type OwnMark, principalOf, UnusableClaim } from './token-claims.js';

/** What a new access token says; the rest is from configuration. */
export interface AccessClaims {
  sub: string;
  /** Of a login. */
  sid?: string;
  name?: string;
  roles?: readonly string[];
  /** By the database's clock, in Unix seconds with a fraction: before or after a sign-out of the user. */
  signedAt: number;
  /** The API key that it is signed for, and ends with. */
  fromKey?: string | undefined;
  /** The users who have it signed, and whose own tokens it ends with. */
  mintedBy?: readonly Minter[] | undefined;
}

const MAX_TOKEN_CHARS = 16_384;
/** One line a claim in so long, however many tokens come. */
const WARN_EVERY_MS = 60_000;

/** Access tokens (JWT): those of this server, signed with its secret by whomever, and those of the identity provider if there is one. */
@Injectable()
export class TokenService implements OnApplicationShutdown {
  readonly #logger = new Logger(TokenService.name);
  readonly #secrets: SharedSecrets;
  readonly #provider: ProviderTokens | null;
  /** Of claims, by name: those of jose and those that the configuration names. */
  readonly #warnedAt = new Map<string, number>();

  constructor(
    jwt: JwtService,
    private readonly config: Config,
  ) {
    this.#secrets = new SharedSecrets(jwt, config.jwtSecrets);
    this.#provider = ProviderTokens.of(config);
  }

  onApplicationShutdown(): void {
    this.#provider?.stop();
  }

  sign({ sub, signedAt, fromKey, mintedBy, ...claims }: AccessClaims, seconds = this.config.accessTokenSeconds): Promise<string> {
    const parley: OwnMark = { at: signedAt, ...(fromKey !== undefined && { key: fromKey }), ...(mintedBy && { by: mintedBy }) };
    return this.#secrets.sign({ ...claims, parley }, { ...this.#terms, subject: sub, tokenId: randomUUID(), seconds });
  }

  /**
   * Checks signature, issuer, audience, times and the types of the claims; neither revocation nor bans. The configuration says which
   * algorithms there are, and each has one verifier, which alone decides. Nothing else in the token's header is followed.
   * @throws {ChatError} `unauthenticated`; `unavailable` when the provider's key can neither be had nor is known
   */
  async verify(token: string): Promise<Principal> {
    const principal = await this.#verified(token);
    if (principal.expiresAt <= Date.now()) throw new ExpiredCredential('access token');
    return principal;
  }

  async #verified(token: string): Promise<Principal> {
    const header = token.length > MAX_TOKEN_CHARS ? null : headerOf(token);
    if (!header) throw invalidToken();
    const clock = { clockTolerance: CLOCK_TOLERANCE_SECONDS };
    try {
      if (header.alg === SECRET_ALGORITHM) return principalOf(await this.#secrets.verify(token, header, { ...this.#terms, ...clock }));
      if (this.#provider?.takes(header.alg)) return await this.#provider.verify(token, header, clock);
    } catch (error) {
      if (error instanceof ChatError) throw error;
      if (error instanceof UnusableClaim || error instanceof errors.JWTClaimValidationFailed) this.#warn(error);
      throw error instanceof TokenExpiredError || error instanceof errors.JWTExpired
        ? new ExpiredCredential('access token')
        : invalidToken(error);
    }
    throw invalidToken();
  }

  // It is the issuer who is wrong, or what is configured of him, and all of his users are kept out. The claim's value is theirs.
  #warn({ claim, message }: UnusableClaim | errors.JWTClaimValidationFailed): void {
    if (Date.now() - (this.#warnedAt.get(claim) ?? -Infinity) < WARN_EVERY_MS) return;
    this.#warnedAt.set(claim, Date.now());
    this.#logger.warn({ claim }, `Tokens whose signature is good are refused: ${message}.`);
  }

  get #terms() {
    return { issuer: this.config.jwtIssuer, audience: this.config.jwtAudience };
  }
}

function invalidToken(cause?: unknown): ChatError {
  return new ChatError('unauthenticated', 'The access token is not valid.', { cause });
}
