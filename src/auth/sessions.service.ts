import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Acts } from '../changes/acts.js';
import { Config } from '../config/config.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { newSecret, secretHash } from './opaque-secret.js';
import { RefreshTokenReuse } from './refresh-token-reuse.js';
import { type ActRow, REVOKE_REUSED, REVOKE_SESSION } from './revocation-statements.js';
import { bannedUser, disabledUser } from './revocations.js';
import { CLEAR_EXPIRED, LIST_SESSIONS, OPEN_SESSION, ROTATE, SESSION_STATE, WHO_IS_KEPT_OUT } from './session-statements.js';
import { TokenService } from './tokens.service.js';
import { type UserRow, userView, type UserView } from './user-directory.js';

/** A login. Times in ISO 8601. */
export interface SessionView {
  /** The `sid` of its access tokens. */
  id: string;
  createdAt: string;
  /** When its refresh token was last used, or the user logged in. */
  lastUsedAt: string;
  /** When its refresh token expires unless it is used. */
  expiresAt: string;
  /** When it was ended: by logout, by an administrator, or by a refresh token used twice. */
  endedAt: string | null;
}

export type LiveSession = Omit<SessionView, 'endedAt'>;

interface SessionRow {
  id: string;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
}

/** What a login or a refresh gives. `expiresIn` is the access token's life in seconds. */
export interface TokenPair {
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
  user: UserView;
}

/** Of whom a token is signed, and when. */
interface SignedRow extends UserRow {
  roles: string[];
  signed_at: number;
}

const LISTED = 100;
const CLEAR_EVERY_MS = 60_000;

/**
 * Logins. A session is a family of refresh tokens, of which only the newest is unused. States: open, then revoked, by logout or
 * by a second use of a token: somebody else has it then, and nobody can say who is the owner, so that both have to log in again.
 */
@Injectable()
export class SessionsService {
  readonly #logger = new Logger(SessionsService.name);
  #clearedAt = 0;

  constructor(
    private readonly sql: Sql,
    private readonly config: Config,
    private readonly acts: Acts,
    private readonly tokens: TokenService,
  ) {}

  /** Logs in a user who has an account here. @throws {ChatError} `forbidden` when he is banned or disabled */
  async open(user: string): Promise<TokenPair> {
    const session = uuidv7();
    const refreshToken = newSecret();
    const values = [session, user, secretHash(refreshToken), this.config.refreshTokenSeconds];
    const [row] = await this.sql.query<SignedRow & { banned: boolean; disabled: boolean }>(OPEN_SESSION, values);
    if (row!.banned) throw bannedUser();
    if (row!.disabled) throw disabledUser();
    return this.#pair(row!, session, refreshToken);
  }

  /**
   * Trades the token for a new pair. Of two uses at once one gets it, and the other ends the session like any second use.
   * @throws {ChatError} `unauthenticated` for a token that is unknown, expired, used or revoked; `forbidden` when the user is banned or disabled: the
   * token stays as it is then
   */
  async refresh(refreshToken: string): Promise<TokenPair> {
    const next = newSecret();
    const hash = secretHash(refreshToken);
    const [row] = await this.sql.query<SignedRow & { session_id: string }>(ROTATE, [
      hash,
      secretHash(next),
      this.config.refreshTokenSeconds,
    ]);
    if (!row) throw await this.#refusal(hash);
    this.#clearExpired();
    return this.#pair(row, row.session_id, next);
  }

  /** Ends the session of the token, used or not; an unknown token changes nothing. */
  async revoke(refreshToken: string): Promise<void> {
    await this.#revokeBy(REVOKE_SESSION, secretHash(refreshToken));
  }

  /** The user's newest logins that have neither ended nor expired, at most 100. */
  async listLive(user: string): Promise<LiveSession[]> {
    const rows = await this.sql.query<SessionRow>(LIST_SESSIONS, [user, null, true, LISTED]);
    return rows.map(liveView);
  }

  /** The user's logins behind that of the id `after`, the newest first, ended and expired ones for as long as they are kept. */
  async list(user: string, after: string | null, limit: number): Promise<SessionView[]> {
    const rows = await this.sql.query<SessionRow>(LIST_SESSIONS, [user, after, false, limit]);
    return rows.map((row) => ({ ...liveView(row), endedAt: row.revoked_at?.toISOString() ?? null }));
  }

  /** Whether the login has neither ended nor expired; null when the user has no such login. */
  async isLive(user: string, session: string): Promise<boolean | null> {
    const [row] = await this.sql.query<{ is_live: boolean }>(SESSION_STATE, [session, user]);
    return row?.is_live ?? null;
  }

  async #refusal(hash: Buffer): Promise<ChatError> {
    const [ended] = await this.#revokeBy(REVOKE_REUSED, hash);
    const [user] = await this.sql.query<{ banned: boolean }>(WHO_IS_KEPT_OUT, [hash]);
    if (user) return user.banned ? bannedUser() : disabledUser();
    return new ChatError('unauthenticated', 'The refresh token is not valid.', ended && { cause: new RefreshTokenReuse(ended) });
  }

  /** @returns the session that has ended, if there is one */
  async #revokeBy(statement: Statement, hash: Buffer): Promise<{ user: string; session: string }[]> {
    const acts = await this.sql.query<ActRow>(statement, [hash]);
    for (const { act } of acts) this.acts.publish(act);
    return acts.flatMap(({ act: { act } }) => (act.kind === 'session.revoked' ? { user: act.user, session: act.session } : []));
  }

  async #pair(row: SignedRow, sid: string, refreshToken: string): Promise<TokenPair> {
    const { id: sub, name, roles, signed_at: signedAt } = row;
    const claims = { ...(name !== null && { name }), ...(roles.length > 0 && { roles }) };
    const accessToken = await this.tokens.sign({ sub, sid, signedAt, ...claims });
    return { accessToken, refreshToken, expiresIn: this.config.accessTokenSeconds, user: userView(row) };
  }

  // Nobody waits for it; what is left over goes next time.
  #clearExpired(): void {
    if (Date.now() - this.#clearedAt < CLEAR_EVERY_MS) return;
    this.#clearedAt = Date.now();
    this.sql.query(CLEAR_EXPIRED, []).catch((err: unknown) => this.#logger.warn({ err }, 'Expired refresh tokens were not cleared.'));
  }
}

function liveView({ id, created_at, last_used_at, expires_at }: SessionRow): LiveSession {
  return { id, createdAt: created_at.toISOString(), lastUsedAt: last_used_at.toISOString(), expiresAt: expires_at.toISOString() };
}
