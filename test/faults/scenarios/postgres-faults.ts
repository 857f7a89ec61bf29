import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { FaultCluster } from '../fault-cluster.js';
import type { Load } from '../load.js';
import { quantile } from '../ledger.js';
import type { OwnPostgres } from '../own-postgres.js';
import { type Extent, type Outcome, type Scenario, underLoad } from '../scenario.js';

/** No command is without an answer for longer, whatever PostgreSQL does: the sum of the server's own bounds. */
const ANSWER_MS = 12_000;

/** @param postgres the one that the cluster works on */
export const postgresFaults = (postgres: () => OwnPostgres): readonly Scenario[] => [
  { name: 'PostgreSQL stopped by `pg_ctl -m immediate` and back', run: (cluster, extent) => crashed(cluster, extent, postgres()) },
  { name: 'LOCK TABLE for 5 s', run: locked },
  { name: 'pool exhausted', run: exhausted },
];

async function crashed(cluster: FaultCluster, extent: Extent, postgres: OwnPostgres): Promise<Outcome> {
  return underLoad(cluster, extent, {}, async (load) => {
    const sockets = socketsOf(load);
    for (let times = extent.isLong ? 5 : 1; times > 0; times--) {
      await postgres.crash();
      await cluster.becomes('down');
      await pause(extent.isLong ? 5_000 : 500);
      await postgres.comeBack();
      await cluster.becomes('ok');
      await load.goesOn(extent.sends / 10);
    }
    return answersNote(load, sockets);
  });
}

async function locked(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  return underLoad(cluster, extent, {}, async (load) => {
    const sockets = socketsOf(load);
    // The server gives a lock up after three seconds.
    await whileLocked(cluster, 'messages', () => pause(extent.isLong ? 5_000 : 3_500));
    await load.goesOn(extent.sends / 4);
    assert.ok(load.ledger.errors.has('timeout'), 'no send waited for the lock');
    return answersNote(load, sockets);
  });
}

async function exhausted(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const small = await cluster.add({ settings: { DATABASE_POOL: '4' } });
  try {
    return await underLoad(cluster, extent, { instances: () => [small.wsUrl], users: 8, rooms: 6 }, async (load) => {
      const sockets = socketsOf(load);
      const statuses = await whileLocked(cluster, 'rooms', () => {
        const path = `${small.url}/v1/me/rooms`;
        const headers = { authorization: `Bearer ${cluster.token(load.users[0]!)}` };
        return Promise.all(Array.from({ length: 40 }, async () => (await fetch(path, { headers })).status));
      });
      // Who had a connection waited for the lock; for the others there was none.
      assert.ok(statuses.includes(503), `answers: ${[...new Set(statuses)].join()}`);
      await load.goesOn(extent.sends / 4);
      return answersNote(load, sockets);
    });
  } finally {
    await cluster.remove(small);
  }
}

async function whileLocked<T>(cluster: FaultCluster, table: string, work: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: cluster.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    return await work();
  } finally {
    await client.end();
  }
}

function socketsOf(load: Load): number {
  return load.devices.reduce((sum, { connections }) => sum + connections, 0);
}

/** Every command was answered in bounded time, and no socket was lost. */
function answersNote(load: Load, sockets: number): string {
  const longest = quantile(load.ledger.answers, 1);
  assert.ok(longest <= ANSWER_MS, `an answer took ${longest} ms`);
  assert.equal(socketsOf(load), sockets, 'sockets were lost');
  const errors = [...load.ledger.errors].map(([code, count]) => `${count} ${code}`).join(', ');
  return `longest answer ${Math.round(longest)} ms; ${errors === '' ? 'no send failed' : errors}; no socket lost`;
}
