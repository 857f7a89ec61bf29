import { Injectable, Logger } from '@nestjs/common';
import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import { Acts } from '../changes/acts.js';
import { Batcher } from '../database/batcher.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { botId } from '../protocol/index.js';
import {
  FIND_KEYS,
  FIND_MADE_KEY,
  HOLD_KEYS,
  LIST_KEYS,
  LIVE_FAMILY,
  LIVE_KEYS_OF,
  MAKE_KEY,
  REVOKE_KEYS,
  REVOKE_KEYS_OF,
  STORE_KEYS_USED,
} from './api-key-statements.js';
import { ExpiredCredential } from './expired-credential.js';
import { newSecret, secretHash } from './opaque-secret.js';
import type { Principal } from './principal.js';
import type { ActRow } from './revocation-statements.js';
import { revoked } from './revocations.js';
import { hasScope, type Scope } from './scopes.js';
import { CLOCK_TOLERANCE_SECONDS } from './token-claims.js';

export interface ApiKeyDraft {
  name: string;
  scopes: readonly Scope[];
  /** Without it the key lives until it is revoked. */
  expiresInSeconds?: number | undefined;
}

/** A key as administrators see it: all but its secret. Times in ISO 8601. */
export interface ApiKeyView {
  id: string;
  name: string;
  scopes: Scope[];
  /** The user that the backend is when it acts for nobody else. */
  botUser: string;
  createdBy: string;
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  /** To the minute. */
  lastUsedAt: string | null;
}

export interface ApiKeyRow {
  id: string;
  name: string;
  hash: Buffer;
  scopes: Scope[];
  bot_user: string;
  created_by: string;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
}

interface FoundKey extends ApiKeyRow {
  maker_bots: string[];
}

const FORM = /^pk_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([\w-]{43})$/;
const CACHE_KEYS = 10_000;
/** What may change of a key meanwhile is that it is revoked, which the Revocations know at once. */
const CACHE_MS = 60_000;
const USED_EVERY_MS = 60_000;
/** The end of the year 9999: when a key expires that does not. */
const NEVER_MS = 253_402_300_799_000;

const overflow = () => new ChatError('unavailable', 'Too many keys are looked up at once.', { retryAfterMs: 1000 });

/** Whether the text is meant as an API key; it need not be a good one. */
export function looksLikeApiKey(token: string): boolean {
  return token.startsWith('pk_');
}

/**
 * The keys of backends: `pk_<id>_<secret>`. A key is shown once, when it is made. It is looked up once a minute on each instance, so
 * that a request by it costs no query; who asks by it is its bot user, with its scopes.
 */
@Injectable()
export class ApiKeys {
  readonly #logger = new Logger(ApiKeys.name);
  readonly #known = new LRUCache<string, FoundKey>({ max: CACHE_KEYS, ttl: CACHE_MS });
  readonly #looking: Batcher<string, FoundKey | null>;
  readonly #used: Batcher<string, void>;

  constructor(
    private readonly sql: Sql,
    private readonly acts: Acts,
  ) {
    this.#looking = new Batcher((ids) => this.#find(ids), { maxItems: 200, maxWaiting: 20_000, overflow });
    this.#used = new Batcher((ids) => this.#storeUsed(ids), { maxItems: 500, maxWaiting: CACHE_KEYS, overflow });
  }

  /**
   * Made by another key, it lives no longer than that, and is revoked with it.
   * @returns the key, which nobody can ever be shown again, and what is kept of it
   * @param creationKey of the maker's choice: he makes one key by it
   * @throws {ChatError} `forbidden` when the key is to have scopes that who makes it lacks; `conflict`, which names the key, when one was made by
   * `creationKey`: its secret was in that answer alone; `unauthenticated` when what he asks by has just been voided
   */
  async create(
    by: Principal,
    { name, scopes, expiresInSeconds }: ApiKeyDraft,
    creationKey: string | null = null,
  ): Promise<{ key: string; view: ApiKeyView }> {
    const lacking = scopes.filter((scope) => !hasScope(by, scope));
    if (lacking.length > 0) throw new ChatError('forbidden', `Nobody can give what he does not have: ${lacking.join(', ')}.`);
    const id = uuidv7();
    const secret = newSecret();
    const values = [id, name, secretHash(secret), [...new Set(scopes)], botId(id), by.userId, expiresInSeconds ?? null, creationKey];
    // Keys that made a key are its parents.
    const makers = by.key ? [by] : [by, ...(by.mintedBy ?? [])];
    const [row] = await this.#oneAtATime<ApiKeyRow>(MAKE_KEY, [
      ...values,
      by.key?.id ?? by.fromKey ?? null,
      makers.map(({ userId }) => userId),
      makers.map(({ issuedAt }) => issuedAt),
    ]);
    if (row) return { key: `pk_${id}_${secret}`, view: keyView(row) };
    const [made] = await this.sql.query<{ id: string }>(FIND_MADE_KEY, [by.userId, creationKey]);
    if (!made) throw revoked();
    const words = `This Idempotency-Key has made the API key ${made.id}, whose secret nobody can be shown again: revoke it, and make another.`;
    throw new ChatError('conflict', words);
  }

  /** The newest first, from behind the key of the id `after`, revoked and expired ones too. @param maker null: whoever made them */
  list(maker: string | null, after: string | null, limit: number): Promise<ApiKeyRow[]> {
    return this.sql.query<ApiKeyRow>(LIST_KEYS, [maker, after, limit]);
  }

  /** How many keys `revoke` would end: this one, and those that it made; null when there is no such key. */
  async liveCount(id: string): Promise<number | null> {
    const [row] = await this.sql.query<{ live: number }>(LIVE_FAMILY, [id]);
    return row?.live ?? null;
  }

  /** How many keys `revokeOf` would end. */
  async liveCountOf(maker: string): Promise<number> {
    const [row] = await this.sql.query<{ live: number }>(LIVE_KEYS_OF, [maker]);
    return row!.live;
  }

  /**
   * For ever, and on every instance at once: requests are refused and sockets close. So it is with the keys that it made, and with what they
   * made. No error when it was revoked already.
   */
  revoke(id: string): Promise<void> {
    return this.#revoke(REVOKE_KEYS, id);
  }

  /** Revokes all keys that the user made, himself or by tokens that he had signed for others. Who is disabled or no administrator any more makes no others. */
  revokeOf(maker: string): Promise<void> {
    return this.#revoke(REVOKE_KEYS_OF, maker);
  }

  /** Checks form, secret and expiry; neither revocation nor bans. @throws {ChatError} `unauthenticated`, `unavailable`, `timeout` */
  async verify(key: string): Promise<Principal> {
    const [, id, secret] = FORM.exec(key) ?? [];
    if (id === undefined || secret === undefined) throw invalidKey();
    const row = this.#known.get(id) ?? (await this.#looking.add(id));
    if (!row || !timingSafeEqual(row.hash, secretHash(secret))) throw invalidKey();
    const expiresAt = row.expires_at?.getTime() ?? NEVER_MS;
    if (expiresAt <= Date.now()) throw new ExpiredCredential('API key');
    this.#use(row);
    const now = Date.now() / 1000;
    return {
      userId: row.bot_user,
      name: row.name,
      roles: [],
      sessionId: null,
      tokenId: null,
      issuedAt: now - CLOCK_TOLERANCE_SECONDS,
      expiresAt,
      // Shown anew each time, it is of no time before those were signed out.
      ...(row.maker_bots.length > 0 && { mintedBy: row.maker_bots.map((userId) => ({ userId, issuedAt: now })) }),
      key: { id, scopes: row.scopes },
    };
  }

  async #revoke(statement: Statement, whose: string): Promise<void> {
    const rows = await this.#oneAtATime<ActRow>(statement, [whose]);
    for (const { act } of rows) this.acts.publish(act);
  }

  #oneAtATime<Row>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return this.sql.transaction(async (manager) => {
      await manager.query(HOLD_KEYS.text);
      return manager.query<Row[]>(statement.text, values);
    });
  }

  async #find(ids: string[]): Promise<(FoundKey | null)[]> {
    const rows = await this.sql.query<FoundKey>(FIND_KEYS, [ids]);
    for (const row of rows) this.#known.set(row.id, row);
    return ids.map((id) => rows.find((row) => row.id === id) ?? null);
  }

  // Nobody waits for it.
  #use(row: ApiKeyRow): void {
    if (row.last_used_at && Date.now() - row.last_used_at.getTime() < USED_EVERY_MS) return;
    row.last_used_at = new Date();
    this.#used.add(row.id).catch((err: unknown) => this.#logger.warn({ err }, 'When an API key was used was not stored.'));
  }

  async #storeUsed(ids: string[]): Promise<void[]> {
    await this.sql.query(STORE_KEYS_USED, [ids]);
    return ids.map(() => undefined);
  }
}

export function keyView(row: ApiKeyRow): ApiKeyView {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    botUser: row.bot_user,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}

function invalidKey(): ChatError {
  return new ChatError('unauthenticated', 'The API key is not valid.');
}
