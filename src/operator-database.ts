import { resolve } from 'node:path';
import { loadSettings, type Settings } from './config/settings.js';
import { readEnvironment } from './config/environment.js';
import { EmbeddedPostgres, runningPostgresUrl } from './database/embedded-postgres.js';

/**
 * For a command that an operator runs: works on the database of the server that has the settings of this process. Without DATABASE_URL it is
 * the embedded one, beside a server that runs, or started for so long.
 */
export async function withOperatorDatabase<T>(work: (url: string, settings: Settings) => Promise<T>): Promise<T> {
  const settings = loadSettings(readEnvironment());
  const dataDir = resolve(settings.DATA_DIR);
  const running = settings.DATABASE_URL ?? (await runningPostgresUrl(dataDir));
  if (running !== undefined) return work(running, settings);
  const embedded = await EmbeddedPostgres.start({ dataDir, maxConnections: 20 });
  return work(embedded.url, settings).finally(() => embedded.stop());
}
