import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { openDataSource, serverDataSource } from '../../src/database/data-source.js';
import { Metrics } from '../../src/telemetry/metrics.js';
import { Sql } from '../../src/database/sql.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const INSERT = { name: 'insert_thing', text: 'INSERT INTO things VALUES ($1) RETURNING id' };

/** One connection in the pool, so that what one leaves behind is what the next one gets. */
describe('a stalled PostgreSQL', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let dataSource: DataSource;
  let sql: Sql;
  let witness: pg.Client;

  beforeEach(async () => {
    database = await createTestDatabase();
    witness = new pg.Client({ connectionString: database.url });
    await witness.connect();
    await witness.query('CREATE TABLE things (id integer PRIMARY KEY)');
    const url = new URL(database.url);
    proxy = await TcpProxy.to(url.hostname, Number(url.port));
    url.host = `127.0.0.1:${proxy.port}`;
    const options = serverDataSource(url.href, 1) as { extra: object };
    dataSource = await openDataSource({ ...options, extra: { ...options.extra, query_timeout: 300 } } as never);
    sql = new Sql(dataSource, new Metrics(false));
  });

  afterEach(async () => {
    proxy.flow();
    await dataSource.destroy();
    await proxy.close();
    await witness.end();
    await database.drop();
  });

  async function stored(): Promise<number[]> {
    const { rows } = await witness.query<{ id: number }>('SELECT id FROM things ORDER BY id');
    return rows.map(({ id }) => id);
  }

  it('leaves no open transaction for the next statement, which would be acked and never committed', async () => {
    const stalled = sql.transaction(async (manager) => {
      await manager.query('INSERT INTO things VALUES (1)');
      proxy.stall();
      await manager.query('INSERT INTO things VALUES (2)');
    });
    await expect(stalled).rejects.toMatchObject({ code: 'timeout' });
    proxy.flow();
    expect(await sql.query(INSERT, [3])).toEqual([{ id: 3 }]);
    expect(await stored()).toEqual([3]);
  });

  it('says timeout for a commit whose answer does not come', async () => {
    const stalled = sql.transaction(async (manager) => {
      await manager.query('INSERT INTO things VALUES (1)');
      proxy.stall();
    });
    await expect(stalled).rejects.toMatchObject({ code: 'timeout' });
    proxy.flow();
    await sql.query(INSERT, [3]);
    expect(await stored()).toContain(3);
  });

  it('says timeout for a statement, and goes on with another connection', async () => {
    await sql.query(INSERT, [1]);
    proxy.stall();
    await expect(sql.query(INSERT, [2])).rejects.toMatchObject({ code: 'timeout' });
    proxy.flow();
    expect(await sql.query(INSERT, [3])).toEqual([{ id: 3 }]);
    expect(await stored()).toEqual(expect.arrayContaining([1, 3]));
  });

  it("keeps the connection, rolled back, when only the caller's own work failed", async () => {
    const pid = () => sql.query<{ pid: number }>({ name: 'pid', text: 'SELECT pg_backend_pid() AS pid' }, []);
    const before = await pid();
    const failed = sql.transaction(async (manager) => {
      await manager.query('INSERT INTO things VALUES (1)');
      throw new Error('mine');
    });
    await expect(failed).rejects.toThrow('mine');
    await expect(sql.transaction((manager) => manager.query('SELECT 1/0'))).rejects.toMatchObject({ driverError: { code: '22012' } });
    expect(await pid()).toEqual(before);
    expect(await stored()).toEqual([]);
  });
});
