import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import '../scripts/typescript.js';
import { EmbeddedPostgres } from '../dist/src/database/embedded-postgres.js';

const MAX_CONNECTIONS = 100;

/** What the servers stand on: PostgreSQL as Parley embeds it, with its settings (fsync and synchronous commit on), and a Redis. */
export class Backing {
  #postgres;
  #folder;
  #redis;
  #databases = 0;

  static async start() {
    const { TestRedis } = await import('../test/support/test-redis.ts');
    const backing = new Backing();
    backing.#folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
    backing.#redis = await TestRedis.start();
    backing.#postgres = await EmbeddedPostgres.start({ dataDir: backing.#folder, maxConnections: MAX_CONNECTIONS });
    return backing;
  }

  get folder() {
    return this.#folder;
  }

  get redisUrl() {
    return this.#redis.url;
  }

  /** An empty database. @returns its URL */
  async makeDatabase() {
    const name = `bench_${++this.#databases}`;
    await withDatabase(this.#postgres.url, (client) => client.query(`CREATE DATABASE ${name}`));
    return Object.assign(new URL(this.#postgres.url), { pathname: `/${name}` }).href;
  }

  async dropDatabase(url) {
    const name = new URL(url).pathname.slice(1);
    await withDatabase(this.#postgres.url, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }

  async postgresVersion() {
    const { rows } = await withDatabase(this.#postgres.url, (client) => client.query('SHOW server_version'));
    return rows[0].server_version;
  }

  async stop() {
    await this.#postgres?.stop();
    await this.#redis?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Runs some statements over a connection of its own. */
export async function withDatabase(url, work) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
