import { Logger } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { MIGRATIONS } from './migrations.js';

/** How long the server waits for PostgreSQL, innermost first, so that the most telling error comes first. */
const LOCK_TIMEOUT_MS = 3_000;
const STATEMENT_TIMEOUT_MS = 6_000;
const QUERY_TIMEOUT_MS = 8_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** After this PostgreSQL lets go of what a server holds that has stalled or is no more. */
const IDLE_IN_TRANSACTION_MS = 15_000;

/** What is under way on a lost connection rejects by itself; without a listener the loss would also be an uncaught exception. */
const ignored = (): void => {};

/** The pool of the running server: every wait is bounded, and the schema is the migrations' alone. */
export function serverDataSource(url: string, poolSize: number): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    poolSize,
    applicationName: 'parley',
    synchronize: false,
    migrationsRun: false,
    migrations: MIGRATIONS,
    poolErrorHandler: ignored,
    extra: {
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      options: `-c statement_timeout=${STATEMENT_TIMEOUT_MS} -c lock_timeout=${LOCK_TIMEOUT_MS} -c idle_in_transaction_session_timeout=${IDLE_IN_TRANSACTION_MS}`,
    },
  };
}

/** A data source for changes of the schema, which may take as long as they take. */
export function migrationDataSource(url: string): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    poolSize: 2,
    applicationName: 'parley-migrations',
    synchronize: false,
    migrations: MIGRATIONS,
    poolErrorHandler: ignored,
    extra: { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, options: '-c statement_timeout=0 -c lock_timeout=0' },
  };
}

/** Opens a data source whose connections, idle or in somebody's hands, may be lost at any time without harm to the process. */
export async function openDataSource(options: DataSourceOptions): Promise<DataSource> {
  const dataSource = await new DataSource(options).initialize();
  const pool = (dataSource.driver as unknown as { master: Pool }).master;
  const logger = new Logger('Database');
  const lost = (error: Error): void => {
    // A pool that ends does not wait for its connections, which may hear PostgreSQL stop behind it.
    if (!pool.ending) logger.warn(`A PostgreSQL connection was lost: ${error.message}`);
  };
  const guarded = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => {
    if (guarded.has(client)) return;
    guarded.add(client);
    client.on('error', lost);
  });
  (await pool.connect()).release(); // the one that `initialize` opened
  return dataSource;
}
