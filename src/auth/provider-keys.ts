import { Logger } from '@nestjs/common';
import { createRemoteJWKSet, type CryptoKey, errors, type JWSHeaderParameters, type RemoteJWKSet } from 'jose';
import { ChatError } from '../errors/chat-error.js';

/** The provider is asked at most so often, whatever tokens come, and whether it answers or not. */
export const ASK_EVERY_MS = 10_000;
/** Keys older than this are asked for anew, so that one which the provider has taken back does not count for ever. */
export const STALE_MS = 300_000;
const TIMEOUT_MS = 3_000;

/**
 * The public keys of an identity provider. In memory, and asked for when a token names a key that is not among them. A provider that
 * does not answer changes nothing: the keys that it gave last are kept.
 */
export class ProviderKeys {
  readonly #logger = new Logger(ProviderKeys.name);
  readonly #keys: RemoteJWKSet;
  /** What came of asking last: it may be under way. */
  #answer: Promise<void> = Promise.resolve();
  #askedAt = -Infinity;
  #loadedAt = -Infinity;

  constructor(url: string) {
    // When to ask is decided here: jose would ask a provider that is down for every token, and drop keys that have grown old.
    this.#keys = createRemoteJWKSet(new URL(url), { cacheMaxAge: Infinity, cooldownDuration: Infinity, timeoutDuration: TIMEOUT_MS });
  }

  /**
   * The one key that the header of a token asks for. Where the header says that keys lie is never looked at.
   * @throws {ChatError} `unavailable` when the key is not among those that are known, and the provider does not answer
   * @throws {errors.JWKSNoMatchingKey | errors.JWKSMultipleMatchingKeys} when the provider has no such key
   */
  async find(header: JWSHeaderParameters): Promise<CryptoKey> {
    if (this.#loadedAt === -Infinity) await this.#ask();
    else if (Date.now() - this.#loadedAt > STALE_MS) this.refresh();
    try {
      return await this.#keys(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    await this.#ask();
    return this.#keys(header);
  }

  /** Asks the provider; nobody waits for it, and a failure is in the log. */
  refresh(): void {
    this.#ask().catch(() => {});
  }

  // In between, what came of the last time counts.
  #ask(): Promise<void> {
    if (Date.now() - this.#askedAt >= ASK_EVERY_MS) {
      this.#askedAt = Date.now();
      this.#answer = this.#load();
    }
    return this.#answer;
  }

  async #load(): Promise<void> {
    try {
      await this.#keys.reload();
      this.#loadedAt = Date.now();
    } catch (cause) {
      this.#logger.warn({ err: cause }, "The identity provider's keys cannot be had; those that it gave last are kept.");
      throw new ChatError('unavailable', "The token's key cannot be had from the identity provider now.", {
        retryAfterMs: ASK_EVERY_MS,
        cause,
      });
    }
  }
}
