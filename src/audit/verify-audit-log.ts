import pg from 'pg';
import { AuditChain, CHAIN_COLUMNS, ChainBroken, type ChainHead, type ChainRow } from './audit-chain.js';

const PAGE_ROWS = 1_000;

/**
 * Reads the whole log at one moment, in pages, beside whatever is written meanwhile.
 * @param kept a head of an earlier time, kept where the database's administrator cannot write: it shows a cut tail, and a log made anew
 * @returns the head; its `seq` is the count of rows
 * @throws {ChainBroken} when a row was changed, removed or moved, or is not the one that the kept head says
 */
export async function verifyAuditLog(url: string, kept?: ChainHead): Promise<ChainHead> {
  const client = new pg.Client({ connectionString: url, application_name: 'parley-audit-verify' });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const chain = new AuditChain();
    await assertNoneBefore(client);
    for (;;) {
      const { rows } = await client.query<ChainRow>(
        `SELECT ${CHAIN_COLUMNS} FROM audit_log WHERE audit_log.seq > $1 ORDER BY audit_log.seq LIMIT ${PAGE_ROWS}`,
        [String(chain.head.seq)],
      );
      for (const row of rows) {
        chain.follow(row);
        if (kept?.seq === chain.head.seq) assertSame(kept, chain.head, 'the head that was kept');
      }
      if (rows.length < PAGE_ROWS) break;
    }
    if (kept && kept.seq > chain.head.seq)
      throw new ChainBroken(`the log ends at row ${chain.head.seq}, and was at ${kept.seq}: its end was cut off`);
    await assertStoredHead(client, chain.head);
    return chain.head;
  } finally {
    await client.end();
  }
}

/** Rows are numbered from 1: one before would be in lists, and in no chain. */
async function assertNoneBefore(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ seq: string }>('SELECT seq::text FROM audit_log WHERE seq < 1 ORDER BY seq LIMIT 1');
  if (rows[0]) throw new ChainBroken(`row ${rows[0].seq} was never written by the server`);
}

async function assertStoredHead(client: pg.Client, head: ChainHead): Promise<void> {
  const { rows } = await client.query<{ seq: string; hash: string }>(`SELECT seq::text, encode(hash, 'hex') AS hash FROM audit_head`);
  const [stored] = rows;
  if (!stored) throw new ChainBroken('the head is missing');
  assertSame({ seq: BigInt(stored.seq), hash: stored.hash }, head, 'the head in the database');
}

function assertSame(expected: ChainHead, found: ChainHead, what: string): void {
  if (expected.seq !== found.seq) throw new ChainBroken(`row ${found.seq} is the last, and ${what} is at ${expected.seq}`);
  if (expected.hash !== found.hash) throw new ChainBroken(`row ${found.seq} is not the one of ${what}`);
}
