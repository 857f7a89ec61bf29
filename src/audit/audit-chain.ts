import { createHash } from 'node:crypto';

/** Where the chain is: the last row's number, and its hash in hex. Before the first row the hash is all zeros. */
export interface ChainHead {
  seq: bigint;
  hash: string;
}

/** A row of `audit_log` as PostgreSQL writes it, `CHAIN_COLUMNS`: every field a text or null. */
export type ChainRow = Record<'seq' | 'prev_hash' | 'hash' | (typeof HASHED)[number], string | null>;

// In the order in which `append_audit_v1` hashes them.
const HASHED = ['seq', 'at_ms', 'action', 'outcome', 'actor_kind', 'actor_id', 'target', 'address', 'request_id', 'details'] as const;

export const CHAIN_COLUMNS = `seq::text, (extract(epoch FROM at) * 1000)::bigint::text AS at_ms, action, outcome, actor_kind, actor_id,
  target::text, address, request_id, details::text, encode(prev_hash, 'hex') AS prev_hash, encode(hash, 'hex') AS hash`;

/** The log is not what was written. */
export class ChainBroken extends Error {
  override readonly name = 'ChainBroken';
}

/**
 * Follows the chain row by row. It computes the hashes itself, and asks the database for nothing but the rows: whoever changed rows may
 * have changed its functions too.
 */
export class AuditChain {
  #head: ChainHead = { seq: 0n, hash: '0'.repeat(64) };
  #atMs = -Infinity;

  get head(): ChainHead {
    return this.#head;
  }

  /** Takes the next row, in the order of `seq`. @throws {ChainBroken} that names the first row that is not as it was written */
  follow(row: ChainRow): void {
    const seq = BigInt(row.seq!);
    const expected = this.#head.seq + 1n;
    if (seq !== expected) throw new ChainBroken(`row ${expected} is missing: after ${this.#head.seq} comes ${seq}`);
    if (row.prev_hash !== this.#head.hash)
      throw new ChainBroken(`row ${seq} does not follow the row before it: one of them was changed or moved`);
    if (row.hash !== hashOf(row)) throw new ChainBroken(`row ${seq} was changed`);
    // Its hash may be right: whoever can add can compute it, and set any time.
    const atMs = Number(row.at_ms);
    if (atMs < this.#atMs) throw new ChainBroken(`row ${seq} says that it is older than the row before it`);
    this.#head = { seq, hash: row.hash };
    this.#atMs = atMs;
  }
}

function hashOf(row: ChainRow): string {
  const hash = createHash('sha256').update(Buffer.from(row.prev_hash!, 'hex'));
  for (const field of HASHED) {
    const value = row[field];
    hash.update(value === null ? '-,' : `${Buffer.byteLength(value)}:${value},`);
  }
  return hash.digest('hex');
}
