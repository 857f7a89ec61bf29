import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Acts } from '../changes/acts.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
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
import { TokenService } from './tokens.service.js';

/** Of a ban or a mute: when it ends by itself (null: not before it is lifted), and why and by whom it was set, for other moderators. */
export interface SanctionOrder {
  until?: Date | null | undefined;
  reason?: string | null | undefined;
  by?: string | null | undefined;
}

/**
 * Takes access away from the whole server, and gives it back. What is taken is committed, then ends on every instance: sockets are closed
 * within a second, within two without Redis, and no token lets in again. Repeats are harmless.
 * Errors of all: {ChatError} unavailable, timeout.
 */
@Injectable()
export class AccessControl {
  constructor(
    private readonly sql: Sql,
    private readonly acts: Acts,
    private readonly tokens: TokenService,
  ) {}

  /** No login, no request, no socket. The user may be one whom the server has not seen yet; banning again replaces end, reason and author. */
  async banUser(user: string, order: SanctionOrder = {}): Promise<void> {
    await this.#run(SANCTIONS.ban.impose, valuesOf(user, order));
  }

  async unbanUser(user: string): Promise<void> {
    await this.#run(SANCTIONS.ban.lift, [user]);
  }

  /** Nothing said, edited, typed, or named in any room; he reads on. Otherwise as for a ban. */
  async muteUser(user: string, order: SanctionOrder = {}): Promise<void> {
    await this.#run(SANCTIONS.mute.impose, valuesOf(user, order));
  }

  async unmuteUser(user: string): Promise<void> {
    await this.#run(SANCTIONS.mute.lift, [user]);
  }

  /** As `banUser` or `muteUser`, but in the caller's transaction. @returns what tells every instance: to be called after the commit */
  async sanctionWithin(manager: EntityManager, kind: keyof typeof SANCTIONS, user: string, order: SanctionOrder): Promise<() => void> {
    const rows = await manager.query<ActRow[]>(SANCTIONS[kind].impose.text, valuesOf(user, order));
    return () => rows.forEach(({ act }) => this.acts.publish(act));
  }

  /**
   * Voids every token of the user that was issued up to now, and ends his logins; what this server signs from now on is good. Of tokens signed
   * elsewhere those are void too whose `iat` is up to five seconds later, since their signer's clock may be ahead.
   * @returns false when there is no such user
   */
  async revokeUser(user: string): Promise<boolean> {
    const acts = await this.sql.transaction(async (manager) => {
      const rows = await manager.query<ActRow[]>(REVOKE_USER.text, [user]);
      await manager.query(END_SESSIONS.text, [user]);
      return rows;
    });
    for (const { act } of acts) this.acts.publish(act);
    return acts.length > 0;
  }

  /** Voids one access token by its `jti`. @param expiresAt the token's own end: until then it is remembered */
  async revokeToken(token: string, user: string, expiresAt: Date): Promise<void> {
    await this.#run(REVOKE_TOKEN, [token, user, expiresAt]);
  }

  /**
   * Voids the token for who shows it: that he has it is his right. One that does not count anyway is no error.
   * @throws {ChatError} `conflict` when the token has no `jti` to be remembered by; `validation_failed` for an API key
   */
  async revokeShown(text: string): Promise<void> {
    if (looksLikeApiKey(text)) throw invalidToken('is an API key, which administrators revoke');
    const principal = await this.tokens.verify(text).catch((error: unknown) => {
      if (error instanceof ChatError && error.code === 'unauthenticated') return null;
      throw error;
    });
    if (!principal) return;
    const { tokenId, userId, expiresAt } = principal;
    if (tokenId === null) throw new ChatError('conflict', 'The token has no jti, by which alone it could be revoked.');
    await this.revokeToken(tokenId, userId, new Date(expiresAt));
  }

  /**
   * As a ban, for a user whom the server knows: an act of administration, not of moderation. His logins stay, for when he is enabled again.
   * @returns false when there is no such user
   */
  async disableUser(user: string, by: string, reason: string | null): Promise<boolean> {
    return (await this.#run(DISABLE_USER, [user, by, reason])) > 0;
  }

  /** @returns false when there is no such user */
  async enableUser(user: string): Promise<boolean> {
    return (await this.#run(ENABLE_USER, [user])) > 0;
  }

  /** The roles that logins sign from now on; when they are others than before, the user's access tokens are void, and his logins go on. */
  async setRoles(user: string, roles: readonly string[]): Promise<void> {
    await this.#run(SET_ROLES, [user, roles]);
  }

  /** Ends a login of the user: its refresh tokens, access tokens and sockets. @returns false when he has no such login */
  async endSession(user: string, session: string): Promise<boolean> {
    return (await this.#run(END_SESSION, [session, user])) > 0;
  }

  /** Closes one connection, on whichever instance, if it is open. Its user may come back at once. */
  async closeConnection(connection: string): Promise<void> {
    await this.#run(CLOSE_CONNECTION, [connection]);
  }

  /** Closes all connections of the user. He may come back at once. */
  async disconnectUser(user: string): Promise<void> {
    await this.#run(DISCONNECT_USER, [user]);
  }

  /** @returns how many acts were committed */
  async #run(statement: Statement, values: unknown[]): Promise<number> {
    const rows = await this.sql.query<ActRow>(statement, values);
    for (const { act } of rows) this.acts.publish(act);
    return rows.length;
  }
}

function valuesOf(user: string, { until = null, reason = null, by = null }: SanctionOrder): unknown[] {
  return [user, until, reason, by];
}

function invalidToken(message: string): ChatError {
  return new ChatError('validation_failed', 'The request is not valid.', { details: [{ path: 'token', message }] });
}
