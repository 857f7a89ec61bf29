import { resolve } from 'node:path';
import { DataSource } from 'typeorm';
import { loadSettings } from './src/config/settings.js';
import { readEnvironment } from './src/config/environment.js';
import { reasonOf } from './src/database/database-reason.js';
import { migrationDataSource } from './src/database/data-source.js';
import { EmbeddedPostgres } from './src/database/embedded-postgres.js';

// The data source of TypeORM's command line (`npm run migration:run` and its like): the database that the server would use. Without
// DATABASE_URL that is the embedded one, which runs for as long as the command does; the server must not have it meanwhile.
async function databaseUrl(): Promise<string> {
  const settings = loadSettings(readEnvironment());
  if (settings.DATABASE_URL !== undefined) return settings.DATABASE_URL;
  const embedded = await EmbeddedPostgres.start({ dataDir: resolve(settings.DATA_DIR), maxConnections: 20 });
  embedded.unref();
  process.once('beforeExit', () => void embedded.stop());
  process.once('exit', () => embedded.stopAtExit());
  return embedded.url;
}

// TypeORM would print the whole error, with its stack.
function refuse(error: unknown): never {
  process.stderr.write(`Migrations cannot run: ${reasonOf(error)}\n`);
  process.exit(1);
}

export default new DataSource(migrationDataSource(await databaseUrl().catch(refuse)));
