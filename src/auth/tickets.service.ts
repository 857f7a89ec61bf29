import { Injectable } from '@nestjs/common';
import { Batcher } from '../database/batcher.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { TIMES } from '../protocol/index.js';
import { newSecret, secretHash } from './opaque-secret.js';
import type { Principal } from './principal.js';

export interface IssuedTicket {
  ticket: string;
  expiresAt: string;
}

// Each ticket clears away a few that were never used.
const ISSUE: Statement = {
  name: 'issue_ticket',
  text: `WITH cleared AS (
      DELETE FROM tickets WHERE hash IN (
        SELECT hash FROM tickets WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED
      )
    )
    INSERT INTO tickets (hash, claims, expires_at) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond') RETURNING expires_at`,
};

const REDEEM: Statement = {
  name: 'redeem_tickets',
  text: `DELETE FROM tickets WHERE hash = ANY ($1::bytea[]) RETURNING encode(hash, 'hex') AS hash, claims, expires_at > clock_timestamp() AS fresh`,
};

/** Tickets open a socket without a token in its URL: each once, for 30 s. */
@Injectable()
export class TicketsService {
  readonly #redeeming = new Batcher<Buffer, Principal | null>((hashes) => this.#redeemAll(hashes), {
    maxItems: 200,
    maxWaiting: 20_000,
    overflow: () => new ChatError('unavailable', 'Too many connections open at once.', { retryAfterMs: 1000 }),
  });

  constructor(private readonly sql: Sql) {}

  /** A ticket for the principal of a valid token. It carries the token's claims and expiry. */
  async issue(principal: Principal): Promise<IssuedTicket> {
    const ticket = newSecret();
    const [row] = await this.sql.query<{ expires_at: Date }>(ISSUE, [secretHash(ticket), JSON.stringify(principal), TIMES.ticketMs]);
    return { ticket, expiresAt: row!.expires_at.toISOString() };
  }

  /**
   * Uses the ticket up, whatever becomes of the connection. Of two at once, on any instances, one gets it.
   * @throws {ChatError} unauthenticated
   */
  async redeem(ticket: string): Promise<Principal> {
    const principal = await this.#redeeming.add(secretHash(ticket));
    if (!principal || principal.expiresAt <= Date.now()) {
      throw new ChatError('unauthenticated', 'The ticket is not valid: it is used up, too old, or never was one.');
    }
    return principal;
  }

  async #redeemAll(hashes: Buffer[]): Promise<(Principal | null)[]> {
    const rows = await this.sql.query<{ hash: string; claims: Principal; fresh: boolean }>(REDEEM, [hashes]);
    const fresh = new Map(rows.filter((row) => row.fresh).map((row) => [row.hash, row.claims]));
    return hashes.map((hash) => {
      const key = hash.toString('hex');
      const principal = fresh.get(key) ?? null;
      fresh.delete(key);
      return principal;
    });
  }
}
