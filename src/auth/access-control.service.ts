import { Injectable } from '@nestjs/common';
import { Acts } from '../changes/acts.js';
import { Sql, type Statement } from '../database/sql.js';
import { type ActRow, BAN_USER, REVOKE_TOKEN, REVOKE_USER, UNBAN_USER } from './revocation-statements.js';

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
  ) {}

  /** No login, no request, no socket. The user may be one whom the server has not seen yet. */
  async banUser(user: string): Promise<void> {
    await this.#run(BAN_USER, [user]);
  }

  async unbanUser(user: string): Promise<void> {
    await this.#run(UNBAN_USER, [user]);
  }

  /** Voids every token of the user that was issued up to now, and ends his logins; tokens issued from the next second on are good. */
  async revokeUser(user: string): Promise<void> {
    await this.#run(REVOKE_USER, [user]);
  }

  /** Voids one access token by its `jti`. @param expiresAt the token's own end: until then it is remembered */
  async revokeToken(token: string, user: string, expiresAt: Date): Promise<void> {
    await this.#run(REVOKE_TOKEN, [token, user, expiresAt]);
  }

  async #run(statement: Statement, values: unknown[]): Promise<void> {
    for (const { act } of await this.sql.query<ActRow>(statement, values)) this.acts.publish(act);
  }
}
