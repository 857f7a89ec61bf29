import { userInfo } from 'node:os';
import { grantAdministrator, NotGranted } from './auth/grant-administrator.js';
import { ConfigError } from './config/settings.js';
import { reasonOf } from './database/database-reason.js';
import { openDataSource, serverDataSource } from './database/data-source.js';
import { driverErrorOf, sqlState } from './database/database-error.js';
import { withOperatorDatabase } from './operator-database.js';

// `npm run admin:grant -- USERNAME`: exit 0 when the account has the role `admin`, or exit 1 and why it has not. Whoever has the server's
// database can do this anyway: it asks for no other proof.

/** Names a table or a column that is not there. */
const NO_SCHEMA = new Set(['42P01', '42703', '42883']);

function operator(): string | null {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no name.
    return null;
  }
}

async function grant(username: string): Promise<string> {
  return withOperatorDatabase(async (url, { LOCAL_ACCOUNTS }) => {
    if (!LOCAL_ACCOUNTS) throw new NotGranted('LOCAL_ACCOUNTS is off: nobody logs in here, and roles are what tokens from elsewhere say.');
    const database = await openDataSource(serverDataSource(url, 1));
    try {
      const isNew = await database.transaction((manager) => grantAdministrator(manager, username, operator()));
      if (!isNew) return `"${username}" is an administrator already.\n`;
      return `"${username}" is an administrator, from the next login or refresh on: earlier access tokens are void.\n`;
    } finally {
      await database.destroy();
    }
  });
}

function wordsOf(error: unknown): string {
  if (error instanceof NotGranted) return error.message;
  if (error instanceof ConfigError) return `Settings that are wrong:\n${error.message}`;
  const state = sqlState(driverErrorOf(error));
  if (NO_SCHEMA.has(state ?? '')) return 'The database is not that of a server of this release: start the server first.';
  return `The database cannot be used: ${reasonOf(error)}`;
}

const [username, ...rest] = process.argv.slice(2);
if (username === undefined || username === '' || rest.length > 0) {
  process.stderr.write('usage: npm run admin:grant -- USERNAME\n');
  process.exitCode = 1;
} else {
  try {
    process.stdout.write(await grant(username));
  } catch (error) {
    process.stderr.write(`${wordsOf(error)}\n`);
    process.exitCode = 1;
  }
}
