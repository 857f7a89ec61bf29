import pg from 'pg';
import { DataSource } from 'typeorm';
import { migrationDataSource } from './data-source.js';
import { reasonOf } from './database-reason.js';

/** Any number will do that no other program uses on this database. */
const MIGRATION_LOCK = '7236918240';
const RETRY_MS = 250;

export interface MigrateOptions {
  /** How long to wait for a PostgreSQL that is not there yet, as when both are started together. */
  patienceMs?: number;
  onWaiting?: (reason: string) => void;
}

/**
 * Brings the schema up to date. Instances that start together do it one after the other; the later ones find nothing to do.
 * @returns the names of the migrations that ran
 * @throws the driver's error when PostgreSQL stays away or refuses, and that of a migration that failed: then its changes are undone
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  const lock = await connect(url, options);
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const dataSource = await new DataSource(migrationDataSource(url)).initialize();
    try {
      return (await dataSource.runMigrations({ transaction: 'each' })).map(({ name }) => name);
    } finally {
      await dataSource.destroy();
    }
  } finally {
    await lock.end(); // ends the session, and the lock with it
  }
}

async function connect(url: string, { patienceMs = 0, onWaiting }: MigrateOptions): Promise<pg.Client> {
  const deadline = Date.now() + patienceMs;
  for (let first = true; ; first = false) {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'parley-migrations',
      connectionTimeoutMillis: 3_000,
      options: '-c statement_timeout=0 -c lock_timeout=0',
    });
    client.on('error', () => {}); // what is under way rejects by itself
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      if (!mayComeBack(error) || Date.now() >= deadline) throw error;
      if (first) onWaiting?.(reasonOf(error));
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function mayComeBack(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  // 57P03: starting up. Other SQLSTATEs, as of a refused login or a missing database, do not heal by waiting.
  return typeof code !== 'string' || code === '57P03' || !/^\d/.test(code);
}
