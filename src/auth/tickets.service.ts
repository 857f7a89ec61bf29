import { Injectable } from '@nestjs/common';
import { Batcher } from '../database/batcher.js';
import { Sql, type Statement } from '../database/sql.js';
import { Storm } from '../database/storm.js';
import { ChatError } from '../errors/chat-error.js';
import { TIMES } from '../protocol/index.js';
import { newSecret, secretHash } from './opaque-secret.js';
import type { Principal } from './principal.js';

export interface IssuedTicket {
  ticket: string;
  expiresAt: string;
}

// Each batch clears away some that were never used: twice as many as it makes, so that none are left in the end.
const ISSUE: Statement = {
  name: 'issue_tickets',
  text: `WITH cleared AS (
      DELETE FROM tickets WHERE hash IN (
        SELECT hash FROM tickets WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT 20 + 2 * cardinality($1::bytea[]) FOR UPDATE SKIP LOCKED
      )
    )
    INSERT INTO tickets (hash, claims, expires_at)
    SELECT g.hash, g.claims, clock_timestamp() + $3 * interval '1 millisecond' FROM unnest($1::bytea[], $2::jsonb[]) AS g(hash, claims)
    RETURNING encode(hash, 'hex') AS hash, expires_at`,
};

const REDEEM: Statement = {
  name: 'redeem_tickets',
  text: `DELETE FROM tickets WHERE hash = ANY ($1::bytea[]) RETURNING encode(hash, 'hex') AS hash, claims, expires_at > clock_timestamp() AS fresh`,
};

interface NewTicket {
  hash: Buffer;
  /** The principal, as JSON. */
  claims: string;
}

const overflow = () => new ChatError('unavailable', 'Too many connections open at once.', { retryAfterMs: 1000 });

/** Tickets open a socket without a token in its URL: each once, for 30 s. */
@Injectable()
export class TicketsService {
  readonly #issuing: Batcher<NewTicket, Date>;
  readonly #redeeming: Batcher<Buffer, Principal | null>;

  constructor(
    private readonly sql: Sql,
    storm: Storm,
  ) {
    const options = { maxItems: 200, maxWaiting: 20_000, overflow, gather: storm.gathering(200) };
    this.#issuing = new Batcher((tickets) => this.#issueAll(tickets), options);
    this.#redeeming = new Batcher((hashes) => this.#redeemAll(hashes), options);
  }

  /** A ticket for the principal of a valid token. It carries the token's claims and expiry; of an API key, not its scopes. */
  async issue({ key, ...principal }: Principal): Promise<IssuedTicket> {
    const ticket = newSecret();
    const claims = JSON.stringify({ ...principal, ...(key && { fromKey: key.id }) });
    const expiresAt = await this.#issuing.add({ hash: secretHash(ticket), claims });
    return { ticket, expiresAt: expiresAt.toISOString() };
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

  async #issueAll(tickets: NewTicket[]): Promise<Date[]> {
    const rows = await this.sql.query<{ hash: string; expires_at: Date }>(ISSUE, [
      tickets.map(({ hash }) => hash),
      tickets.map(({ claims }) => claims),
      TIMES.ticketMs,
    ]);
    const expiries = new Map(rows.map((row) => [row.hash, row.expires_at]));
    return tickets.map(({ hash }) => expiries.get(hash.toString('hex'))!);
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
