import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Act } from '../bus/room-bus.js';
import { Acts } from '../changes/acts.js';
import { ChangesFeed } from '../changes/changes-feed.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { botId } from '../protocol/index.js';
import { ExpiringMap } from './expiring-map.js';
import type { Minter, Principal } from './principal.js';
import { DISABLED_USERS, REVOKED_KEYS, REVOKED_SESSIONS, REVOKED_TOKENS, REVOKED_USERS } from './revocation-statements.js';
import { type SanctionRow, SANCTIONS } from './sanction-statements.js';
import { Sanctions } from './sanctions.js';

/** No access token of a local account lives longer: the largest ACCESS_TOKEN_SECONDS, whatever it was when the token was signed. */
const LONGEST_TOKEN_MS = 86_400_000;
const RETRY_MS = 1_000;

/**
 * Which tokens and API keys no longer count though they are signed and in time. In memory, so that asking costs nothing: loaded before the
 * server serves, then fed by the acts of all instances, and loaded anew when some were missed.
 */
@Injectable()
export class Revocations implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(Revocations.name);
  // Both until they would not live anyway.
  readonly #sessions = new ExpiringMap<true>();
  /** By `jti`: whose tokens of that name are meant; null is every issuer's. */
  readonly #tokens = new ExpiringMap<readonly string[] | null>();
  /** API keys, for ever. */
  readonly #keys = new Set<string>();
  /** User to the time (Unix s, with a fraction) up to which his tokens are void. */
  readonly #notBefore = new Map<string, number>();
  readonly #bans = new Sanctions();
  /** Users who were disabled: as a ban without an end. */
  readonly #disabled = new Sanctions();
  #isReloading = false;
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly sql: Sql,
    private readonly feed: ChangesFeed,
    acts: Acts,
  ) {
    this.#endings = [acts.listen((act) => this.#learn(act)), feed.listen({ onMissed: () => this.#reload() })];
  }

  async onModuleInit(): Promise<void> {
    // First the feed, then the load: an act in between is heard, and hearing of something twice changes nothing.
    await this.feed.start();
    await this.#load();
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
  }

  /**
   * For who is let in anew: what is not known to be revoked may be so when the database could not be read of late.
   * @throws {ChatError} unavailable
   */
  assertCurrent(): void {
    if (!this.feed.isCurrent || this.#isReloading) {
      throw new ChatError('unavailable', 'It cannot be told whether the token still counts.', { retryAfterMs: 1_000 });
    }
  }

  /** @throws {ChatError} `forbidden` when the user is banned or disabled, `unauthenticated` when the token was revoked */
  assertValid(principal: Principal): void {
    const verdict = this.verdict(principal);
    if (verdict === 'banned') throw bannedUser();
    if (verdict === 'disabled') throw disabledUser();
    if (verdict === 'revoked') throw principal.issuedAt === 0 && this.#isVoid(principal) ? undatedToken() : revoked();
  }

  verdict(principal: Principal): 'valid' | 'banned' | 'disabled' | 'revoked' {
    const { userId, sessionId, key, fromKey = key?.id, mintedBy } = principal;
    const standing = this.standing(userId);
    if (standing !== 'valid') return standing;
    // A key is its bot, whomever it acts for.
    const standingOfBot = fromKey === undefined ? 'valid' : this.standing(botId(fromKey));
    if (key && standingOfBot !== 'valid') return standingOfBot;
    const isRevoked =
      this.#isVoid(principal) ||
      (mintedBy !== undefined && mintedBy.some((minter) => this.#isVoid(minter) || this.standing(minter.userId) !== 'valid')) ||
      (sessionId !== null && this.#sessions.get(sessionId) === true) ||
      this.#isRevokedToken(principal) ||
      standingOfBot !== 'valid' ||
      (fromKey !== undefined && this.#keys.has(fromKey));
    return isRevoked ? 'revoked' : 'valid';
  }

  /** `at` (Unix s), or right behind what voids the user's tokens where that is later. */
  notVoid(user: string, at: number): number {
    return Math.max(at, (this.#notBefore.get(user) ?? 0) + 1e-6);
  }

  /** Of the user himself, whatever his tokens say. */
  standing(user: string): 'valid' | 'banned' | 'disabled' {
    if (this.#bans.of(user)) return 'banned';
    return this.#disabled.of(user) ? 'disabled' : 'valid';
  }

  #isRevokedToken({ tokenId, issuer }: Principal): boolean {
    if (tokenId === null) return false;
    const issuers = this.#tokens.get(tokenId);
    return issuers !== undefined && (issuers === null || issuer === undefined || issuers.includes(issuer));
  }

  #learnToken(id: string, issuers: readonly string[] | null, until: number): void {
    const known = this.#tokens.get(id);
    const all = known === null || issuers === null ? null : [...new Set([...(known ?? []), ...issuers])];
    this.#tokens.set(id, all, until);
  }

  #isVoid({ userId, issuedAt }: Minter): boolean {
    return issuedAt <= (this.#notBefore.get(userId) ?? -1);
  }

  #learn(act: Act): void {
    switch (act.kind) {
      case 'session.revoked':
        this.#sessions.set(act.session, true, Date.now() + LONGEST_TOKEN_MS);
        break;
      case 'token.revoked':
        this.#learnToken(act.token, act.issuer === undefined ? null : [act.issuer], act.expiresAt);
        break;
      case 'key.revoked':
        this.#keys.add(act.key);
        break;
      case 'user.revoked':
        this.#notBefore.set(act.user, Math.max(act.notBefore, this.#notBefore.get(act.user) ?? 0));
        break;
      case 'user.banned':
      case 'user.unbanned':
        this.#bans.learn(act.user, { isOn: act.kind === 'user.banned', at: act.at, until: act.kind === 'user.banned' ? act.until : null });
        break;
      case 'user.disabled':
      case 'user.enabled':
        this.#disabled.learn(act.user, { isOn: act.kind === 'user.disabled', at: act.at });
        break;
    }
  }

  async #load(): Promise<void> {
    const [sessions, tokens, keys, users, banned, disabled] = await Promise.all([
      this.sql.query<{ id: string }>(REVOKED_SESSIONS, [LONGEST_TOKEN_MS]),
      this.sql.query<{ id: string; issuers: string[] | null; expires_at: Date }>(REVOKED_TOKENS, []),
      this.sql.query<{ id: string }>(REVOKED_KEYS, []),
      this.sql.query<{ id: string; not_before: number }>(REVOKED_USERS, []),
      this.sql.query<SanctionRow>(SANCTIONS.ban.list, []),
      this.sql.query<{ id: string; at: number }>(DISABLED_USERS, []),
    ]);
    for (const { id } of sessions) this.#sessions.set(id, true, Date.now() + LONGEST_TOKEN_MS);
    for (const { id, issuers, expires_at } of tokens) this.#learnToken(id, issuers, expires_at.getTime());
    for (const { id } of keys) this.#keys.add(id);
    for (const { id, not_before } of users) this.#notBefore.set(id, not_before);
    for (const { id, at, until } of banned) this.#bans.learn(id, { isOn: true, at, until });
    for (const { id, at } of disabled) this.#disabled.learn(id, { isOn: true, at });
  }

  #reload(): void {
    this.#isReloading = true;
    // What was lifted in the meantime is not in what is read.
    this.#bans.clear();
    this.#disabled.clear();
    this.#load().then(
      () => (this.#isReloading = false),
      (error: Error) => {
        this.#logger.error(`Revocations cannot be read anew; trying again: ${error.message}`);
        setTimeout(() => this.#reload(), RETRY_MS).unref();
      },
    );
  }
}

export function revoked(): ChatError {
  return new ChatError('unauthenticated', 'The access token or API key has been revoked.');
}

function undatedToken(): ChatError {
  return new ChatError(
    'unauthenticated',
    'The access token has been revoked: once its user was signed out, only tokens with an iat count.',
  );
}

export function bannedUser(): ChatError {
  return new ChatError('forbidden', 'The user is banned.');
}

export function disabledUser(): ChatError {
  return new ChatError('forbidden', 'The user is disabled.');
}
