import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Acts } from '../changes/acts.js';
import { Config } from '../config/config.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError, validationFailed } from '../errors/chat-error.js';
import { type Actor, holdUser, type IntendedAct, isByKey } from './administrators.js';
import { looksLikeApiKey } from './api-keys.service.js';
import {
  type ActRow,
  CLOSE_CONNECTION,
  DISABLE_USER,
  DISCONNECT_USER,
  ENABLE_USER,
  END_SESSION,
  END_SESSIONS,
  REVOKE_TOKEN,
  REVOKE_USER,
  SET_ROLES,
} from './revocation-statements.js';
import { SANCTIONS } from './sanction-statements.js';
import { ADMIN_ROLE } from './scopes.js';
import { TokenService } from './tokens.service.js';

/** Of a ban or a mute: when it ends by itself (null: not before it is lifted), and why and by whom it was set, for other moderators. */
export interface SanctionOrder {
  until?: Date | null | undefined;
  reason?: string | null | undefined;
  by?: Actor | null | undefined;
}

/**
 * Takes access away from the whole server, and gives it back. What is taken is committed, then ends on every instance: sockets are closed
 * within a second, within two without Redis, and no token lets in again. Repeats are harmless.
 * Errors of all: {ChatError} unavailable, timeout; of what is done to a user also forbidden and conflict, as `holdUser` has them.
 */
@Injectable()
export class AccessControl {
  constructor(
    private readonly config: Config,
    private readonly sql: Sql,
    private readonly acts: Acts,
    private readonly tokens: TokenService,
  ) {}

  /** No login, no request, no socket. The user may be one whom the server has not seen yet; banning again replaces end, reason and author. */
  async banUser(user: string, order: SanctionOrder = {}): Promise<void> {
    await this.#sanction('ban', user, order);
  }

  async unbanUser(user: string, by?: Actor): Promise<void> {
    await this.#actOn(user, { by }, SANCTIONS.ban.lift, [user]);
  }

  /** Nothing said, edited, typed, or named in any room; he reads on. Otherwise as for a ban. */
  async muteUser(user: string, order: SanctionOrder = {}): Promise<void> {
    await this.#sanction('mute', user, order);
  }

  async unmuteUser(user: string, by?: Actor): Promise<void> {
    await this.#actOn(user, { by }, SANCTIONS.mute.lift, [user]);
  }

  /** As `banUser` or `muteUser`, but in the caller's transaction. @returns what tells every instance: to be called after the commit */
  async sanctionWithin(manager: EntityManager, kind: keyof typeof SANCTIONS, user: string, order: SanctionOrder): Promise<() => void> {
    const { until = null, reason = null, by = null } = order;
    await holdUser(manager, user, { by, onOthers: true, endsOffice: kind === 'ban' && this.config.localAccounts });
    const rows = await manager.query<ActRow[]>(SANCTIONS[kind].impose.text, [user, until, reason, by?.userId ?? null]);
    return () => rows.forEach(({ act }) => this.acts.publish(act));
  }

  /**
   * Voids every token of the user that was issued up to now, and ends his logins; what this server signs from now on is good. Of tokens signed
   * elsewhere those are void too whose `iat` is up to five seconds later, since their signer's clock may be ahead.
   * @returns false when there is no such user
   */
  async revokeUser(user: string, by?: Actor): Promise<boolean> {
    return (await this.#actOn(user, { by }, REVOKE_USER, [user], END_SESSIONS)) !== null;
  }

  /** Voids one access token by its issuer and `jti`. @param expiresAt the token's own end: until then it is remembered */
  async revokeToken({ id, issuer }: { id: string; issuer: string }, user: string, expiresAt: Date): Promise<void> {
    await this.#run(REVOKE_TOKEN, [id, user, expiresAt, issuer]);
  }

  /**
   * Voids the token for who shows it: that he has it is his right. One that does not count anyway is no error.
   * @throws {ChatError} `conflict` when the token has no `jti` to be remembered by; `validation_failed` for an API key
   */
  async revokeShown(text: string): Promise<void> {
    if (looksLikeApiKey(text)) throw validationFailed([{ path: 'token', message: 'is an API key, which administrators revoke' }]);
    const principal = await this.tokens.verify(text).catch((error: unknown) => {
      if (error instanceof ChatError && error.code === 'unauthenticated') return null;
      throw error;
    });
    if (!principal) return;
    const { issuer, tokenId: id, userId, expiresAt } = principal;
    if (id === null || issuer === undefined) throw new ChatError('conflict', 'The token has no jti, by which alone it could be revoked.');
    await this.revokeToken({ id, issuer }, userId, new Date(expiresAt));
  }

  /**
   * As a ban, for a user whom the server knows: an act of administration, not of moderation. His logins stay, for when he is enabled again.
   * @returns false when there is no such user
   */
  async disableUser(user: string, by: Actor, reason: string | null): Promise<boolean> {
    const act = { by, onOthers: true, endsOffice: this.config.localAccounts };
    return (await this.#actOn(user, act, DISABLE_USER, [user, by.userId, reason])) !== null;
  }

  /** @returns false when there is no such user */
  async enableUser(user: string, by?: Actor): Promise<boolean> {
    return (await this.#actOn(user, { by }, ENABLE_USER, [user])) !== null;
  }

  /**
   * The roles that logins sign from now on; when they are others than before, the user's access tokens are void, and his logins go on.
   * @returns false when there is no such user
   * @throws {ChatError} forbidden also when an API key, or a token that it minted, would make an administrator
   */
  async setRoles(user: string, roles: readonly string[], by?: Actor): Promise<boolean> {
    const isOffice = roles.includes(ADMIN_ROLE);
    if (isOffice && isByKey(by)) {
      throw new ChatError('forbidden', 'Administrators are made by administrators, not by API keys or tokens of theirs.');
    }
    return (await this.#actOn(user, { by, endsOffice: !isOffice && this.config.localAccounts }, SET_ROLES, [user, roles])) !== null;
  }

  /** Ends a login of the user: its refresh tokens, access tokens and sockets. @returns false when he has no such login */
  async endSession(user: string, session: string, by?: Actor): Promise<boolean> {
    return ((await this.#actOn(user, { by }, END_SESSION, [session, user])) ?? 0) > 0;
  }

  /** For a dry run of what takes nothing but sanctions or logins away. @throws {ChatError} as the act would for who does it */
  async assertMayActOn(user: string, by: Actor): Promise<void> {
    await this.sql.transaction((manager) => holdUser(manager, user, { by }));
  }

  /** Closes one connection, on whichever instance, if it is open. Its user may come back at once. */
  async closeConnection(connection: string): Promise<void> {
    await this.#run(CLOSE_CONNECTION, [connection]);
  }

  /** Closes all connections of the user. He may come back at once. */
  async disconnectUser(user: string): Promise<void> {
    await this.#run(DISCONNECT_USER, [user]);
  }

  async #sanction(kind: keyof typeof SANCTIONS, user: string, order: SanctionOrder): Promise<void> {
    const tell = await this.sql.transaction((manager) => this.sanctionWithin(manager, kind, user, order));
    tell();
  }

  /**
   * @param behind is run after `statement`, with the user alone
   * @returns how many acts were committed; null, and nothing is done, when the server does not know the user
   */
  async #actOn(user: string, act: IntendedAct, statement: Statement, values: unknown[], behind?: Statement): Promise<number | null> {
    const rows = await this.sql.transaction(async (manager) => {
      if (!(await holdUser(manager, user, act))) return null;
      const recorded = await manager.query<ActRow[]>(statement.text, values);
      if (behind) await manager.query(behind.text, [user]);
      return recorded;
    });
    for (const { act: recorded } of rows ?? []) this.acts.publish(recorded);
    return rows && rows.length;
  }

  /** @returns how many acts were committed */
  async #run(statement: Statement, values: unknown[]): Promise<number> {
    const rows = await this.sql.query<ActRow>(statement, values);
    for (const { act } of rows) this.acts.publish(act);
    return rows.length;
  }
}
