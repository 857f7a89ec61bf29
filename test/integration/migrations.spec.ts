import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { migrationDataSource } from '../../src/database/data-source.js';
import { migrate } from '../../src/database/migrate.js';
import { MIGRATIONS } from '../../src/database/migrations.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const OURS = `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
  UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY name`;

describe('migrations', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  beforeEach(async () => {
    database = await createTestDatabase();
    dataSource = await new DataSource(migrationDataSource(database.url)).initialize();
  });
  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  async function undoAll(): Promise<void> {
    for (const _migration of MIGRATIONS) await dataSource.undoLastMigration({ transaction: 'each' });
  }

  it('leave nothing behind when undone, and make the same again', async () => {
    const before = await dataSource.query<{ name: string }[]>(OURS);
    await undoAll();
    expect(await dataSource.query(OURS)).toEqual([{ name: 'migrations' }, { name: 'migrations_id_seq' }]);
    expect(await migrate(database.url)).toHaveLength(MIGRATIONS.length);
    expect(await dataSource.query(OURS)).toEqual(before);
  });

  it('run once when several instances start together', async () => {
    await undoAll();
    const ran = await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
    expect(ran.map((names) => names.length).sort()).toEqual([0, 0, MIGRATIONS.length]);
  });

  it('do not wait for a database that refuses, and say so', async () => {
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    await expect(migrate(url.href, { patienceMs: 10_000 })).rejects.toMatchObject({ code: '3D000' });
  });
});
