import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { EmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { migrate } from '../../src/database/migrate.js';

/** The PostgreSQL of one run of the tests, and in it a migrated database that each test's own is cloned from. */
export class TestPostgres {
  private constructor(
    /** What `createTestDatabase` finds it by, in whichever process it runs. */
    readonly environment: { PARLEY_TEST_ADMIN_URL: string; PARLEY_TEST_TEMPLATE: string },
    private readonly end: () => Promise<void>,
  ) {}

  /** Uses the server that TEST_DATABASE_URL names, else one of its own, which nothing survives. */
  static async start(): Promise<TestPostgres> {
    const given = process.env.TEST_DATABASE_URL;
    const own = given === undefined || given === '' ? await startOwn() : undefined;
    const adminUrl = own?.url ?? given!;
    const template = `parley_template_${randomBytes(6).toString('hex')}`;
    try {
      await administer(adminUrl, `CREATE DATABASE ${template}`);
      const url = new URL(adminUrl);
      url.pathname = `/${template}`;
      await migrate(url.href);
    } catch (error) {
      await own?.stop();
      throw error;
    }
    return new TestPostgres({ PARLEY_TEST_ADMIN_URL: adminUrl, PARLEY_TEST_TEMPLATE: template }, async () => {
      await administer(adminUrl, `DROP DATABASE ${template} WITH (FORCE)`);
      await own?.stop();
    });
  }

  stop(): Promise<void> {
    return this.end();
  }
}

async function startOwn(): Promise<{ url: string; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-test-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    // Nobody cares for this data when the machine dies.
    const settings = { fsync: 'off', full_page_writes: 'off' };
    const server = await EmbeddedPostgres.start({ dataDir: folder, maxConnections: 200, settings });
    return {
      url: server.url,
      stop: async () => {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Runs one statement outside any test's database. */
export async function administer(adminUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
