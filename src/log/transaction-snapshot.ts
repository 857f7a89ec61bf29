/**
 * Whether a statement that ran with this snapshot saw what the transaction committed.
 * @param snapshot `pg_current_snapshot()::text`: "xmin:xmax:xid,xid,…", the last part being the transactions under way in between
 * @see https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
export function sawTransaction(snapshot: string, xid: string): boolean {
  const [xmin, xmax, underWay] = snapshot.split(':') as [string, string, string];
  const number = BigInt(xid);
  if (number < BigInt(xmin)) return true;
  return number < BigInt(xmax) && !underWay.split(',').includes(xid);
}
