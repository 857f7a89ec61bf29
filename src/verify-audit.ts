import { ChainBroken, type ChainHead } from './audit/audit-chain.js';
import { verifyAuditLog } from './audit/verify-audit-log.js';
import { withOperatorDatabase } from './operator-database.js';

// `npm run audit:verify [-- --head SEQ:HASH]`: exit 0 and the head of the chain, or exit 1 and the first row that is not as it was written.

function keptHead(args: string[]): ChainHead | undefined {
  if (args.length === 0) return undefined;
  const [, seq, hash] = /^(\d{1,18}):([0-9a-f]{64})$/.exec(args[1] ?? '') ?? [];
  if (args.length !== 2 || args[0] !== '--head' || hash === undefined) throw new Error('usage: npm run audit:verify [-- --head SEQ:HASH]');
  return { seq: BigInt(seq!), hash };
}

try {
  const kept = keptHead(process.argv.slice(2));
  const { seq, hash } = await withOperatorDatabase((url) => verifyAuditLog(url, kept));
  process.stdout.write(`The audit log is as it was written: ${seq} rows, head ${seq}:${hash}\n`);
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof ChainBroken ? `The audit log was tampered with: ${words}\n` : `${words}\n`);
  process.exitCode = 1;
}
