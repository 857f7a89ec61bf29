import { Logger } from '@nestjs/common';
import { type CryptoKey, errors, type LocalJWKSet } from 'jose';
import { ChatError } from '../errors/chat-error.js';
import { readKeySet } from './provider-key-set.js';
import { CLOCK_TOLERANCE_SECONDS, type TokenHeader } from './token-claims.js';

/** The provider is asked at most so often, whatever tokens come, and whether it answers or not. */
export const ASK_EVERY_MS = 10_000;
/** Keys older than this are asked for anew, so that one which the provider has taken back does not count for ever. */
export const STALE_MS = 300_000;

/**
 * The public keys of an identity provider. In memory, and asked for when a token names a key that is not among them. A provider that
 * does not answer, or has no key to show, changes nothing: the keys that it gave last are kept.
 */
export class ProviderKeys {
  readonly #logger = new Logger(ProviderKeys.name);
  /** As the provider gave them last; null before it did. */
  #keys: LocalJWKSet | null = null;
  /** What came of asking last: it may be under way. */
  #answer: Promise<void> = Promise.resolve();
  #askedAt = -Infinity;
  #loadedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly url: string,
    private readonly algorithms: readonly string[],
  ) {}

  /**
   * The keys by which a token with this header may be signed, as a rule one; where the token names none, each of its algorithm. Those that
   * are known come first; when they are not taken, the provider is asked, but for a token whose very key is known.
   * Where the header says that keys lie is never looked at.
   * @param iat as the token has it, which proves nothing yet
   * @throws {ChatError} `unavailable`, behind the keys that are known, when the provider does not answer, and when the token names a key that
   * may be newer than its last answer, while it may not be asked again
   */
  async *candidates(header: TokenHeader, iat: unknown): AsyncGenerator<CryptoKey> {
    if (this.#keys === null) await this.#ask();
    else if (Date.now() - this.#loadedAt > STALE_MS) this.#refresh();
    const known = this.#keys!;
    let isKnown = false;
    for await (const key of matching(known, header)) {
      isKnown = true;
      yield key;
    }
    if (isKnown && header.kid !== undefined) return;
    await this.#ask();
    const given = this.#keys!;
    for await (const key of given === known ? [] : matching(given, header)) {
      isKnown = true;
      yield key;
    }
    if (!isKnown && header.kid !== undefined) this.#assertAskedSince(iat);
  }

  // Else who sends a name of fancy ahead of a rotation would have the new key's users refused for good.
  #assertAskedSince(iat: unknown): void {
    const now = Date.now();
    const isPlausible = typeof iat === 'number' && iat * 1000 <= now + CLOCK_TOLERANCE_SECONDS * 1000;
    if (!isPlausible || iat * 1000 <= this.#askedAt) return;
    throw unavailable(Math.max(1, this.#askedAt + ASK_EVERY_MS - now));
  }

  /**
   * Asks the provider, now and whenever the keys are stale, also while no token comes: a key that was taken back opens nothing later on.
   * Nobody waits for it, and a failure is in the log. Until `stop`.
   */
  start(): void {
    this.#refresh();
    this.#timer = setInterval(() => this.#refresh(), STALE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #refresh(): void {
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
      this.#keys = await readKeySet(this.url, this.algorithms);
      this.#loadedAt = Date.now();
    } catch (cause) {
      this.#logger.warn({ err: cause }, "The identity provider's keys cannot be had; those that it gave last are kept.");
      throw unavailable(ASK_EVERY_MS, cause);
    }
  }
}

function unavailable(retryAfterMs: number, cause?: unknown): ChatError {
  return new ChatError('unavailable', "The token's key cannot be had from the identity provider now.", { retryAfterMs, cause });
}

async function* matching(keys: LocalJWKSet, { alg, kid }: TokenHeader): AsyncGenerator<CryptoKey> {
  try {
    yield await keys(kid === undefined ? { alg } : { alg, kid });
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) yield* error;
    else if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
  }
}
