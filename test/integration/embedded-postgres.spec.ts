import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { EmbeddedPostgres } from '../../src/database/embedded-postgres.js';

describe('the embedded PostgreSQL', () => {
  let folder: string;
  let running: EmbeddedPostgres[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-embedded-'));
    running = [];
  });
  afterEach(async () => {
    for (const server of running) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<EmbeddedPostgres> {
    const server = await EmbeddedPostgres.start({ dataDir: folder, maxConnections: 10 });
    running.push(server);
    return server;
  }

  async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {}); // the server may be ended behind an open connection
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  it('is durable, speaks UTF-8, and listens to this machine alone, behind a password', async () => {
    const { url } = await start();
    const [settings] = await query(
      url,
      `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit, current_setting('full_page_writes') AS pages,
        current_setting('listen_addresses') AS listens, current_setting('unix_socket_directories') AS sockets,
        current_setting('server_encoding') AS encoding, lower('ÄÉ') AS lower`,
    );
    expect(settings).toEqual({
      fsync: 'on',
      commit: 'on',
      pages: 'on',
      listens: '127.0.0.1',
      sockets: '',
      encoding: 'UTF8',
      lower: 'äé',
    });
    const guessed = new URL(url);
    guessed.password = 'guessed';
    await expect(query(guessed.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('ends one that was left behind on its data, and goes on with them', async () => {
    const orphan = await start();
    await query(orphan.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    const lost = new Promise<string>((resolve) => orphan.onLost(resolve));
    rmSync(join(folder, 'server.lock')); // as if its server had died
    const next = await start();
    await lost;
    expect(await query(next.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
    running.shift();
  });

  it('is not misled by a number that another process has now', async () => {
    await (await start()).stop();
    writeFileSync(
      join(folder, 'postgres/cluster/postmaster.pid'),
      `${process.pid}\n${join(folder, 'postgres/cluster')}\n1\n1\n\n\n\nready\n`,
    );
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('refuses data of another major version, and leaves them as they are', async () => {
    await (await start()).stop();
    const version = join(folder, 'postgres/cluster/PG_VERSION');
    const own = readFileSync(version);
    writeFileSync(version, '12\n');
    await expect(start()).rejects.toThrow(/written by PostgreSQL 12, and this server brings \d+: .*DATABASE_URL/);
    writeFileSync(version, own);
    await start();
  });
});
