import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { keptSecret } from '../config/private-file.js';
import { lockDataFolder } from './data-lock.js';
import { findPostgres, type PostgresBinaries } from './postgres-binaries.js';
import { chooseLauncher, launch, type Launcher } from './postgres-launcher.js';
import { endStalePostgres } from './stale-postgres.js';

const DATABASE = 'parley';
const SUPERUSER = 'parley';
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 10;

export interface EmbeddedPostgresOptions {
  /** Made when it is not there. Holds the cluster, its password, its log and the lock. */
  dataDir: string;
  maxConnections: number;
  /** More of PostgreSQL's settings. */
  settings?: Record<string, string>;
}

/**
 * A PostgreSQL of the server's own: real, with its data under `dataDir`, listening on the loopback address only, on a free port, behind
 * a generated password. What it acknowledged survives the death of both processes and of the machine.
 *
 * States: starting, running, then stopping (by `stop`) or lost (it ended by itself).
 */
export class EmbeddedPostgres {
  #stopping = false;

  private constructor(
    /** Connection URL of the database. */
    readonly url: string,
    /** Who PostgreSQL runs as. */
    readonly runsAs: string,
    private readonly server: ChildProcess,
    private readonly unlock: () => void,
  ) {}

  /**
   * Starts it; the first time, makes the cluster.
   * @throws {DataFolderInUse} when another server has the folder
   * @throws {Error} in words for the operator
   */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const dataDir = resolve(options.dataDir);
    // PostgreSQL may run as another user, who must pass through; what lies in it has modes of its own.
    await mkdir(dataDir, { recursive: true, mode: 0o711 });
    const unlock = lockDataFolder(join(dataDir, 'server.lock'));
    try {
      const binaries = await findPostgres(join(dataDir, 'postgres-programs'));
      const home = join(dataDir, 'postgres');
      await mkdir(home, { recursive: true, mode: 0o700 });
      const launcher = await chooseLauncher({ program: binaries.postgres, folder: home });
      const password = keptSecret(join(dataDir, 'postgres-password'));
      const cluster = await prepareCluster(home, join(dataDir, 'postgres-password'), binaries, launcher);
      const { server, port } = await startServer(cluster, join(dataDir, 'postgres.log'), binaries, launcher, options);
      const url = (database: string) => connectionUrl(password, port, database);
      const embedded = new EmbeddedPostgres(url(DATABASE), launcher.name, server, unlock);
      await makeDatabase(url('postgres')).catch(async (error: unknown) => {
        await embedded.stop();
        throw error;
      });
      return embedded;
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** Calls back once if PostgreSQL ends without having been stopped. */
  onLost(callback: (reason: string) => void): void {
    this.server.once('exit', (code, signal) => {
      if (!this.#stopping) callback(signal ?? `exit code ${code}`);
    });
  }

  /** Ends open connections, stops PostgreSQL in good order and gives the data folder back. Harmless when repeated. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await endChild(this.server);
    this.unlock();
  }

  /** Tells PostgreSQL to stop without waiting: for a process that is about to exit. */
  stopAtExit(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.server.kill('SIGINT');
    this.unlock();
  }

  /** Lets the process end by itself although PostgreSQL still runs. */
  unref(): void {
    this.server.unref();
  }
}

/** The URL of the embedded PostgreSQL that a server runs on this folder now; undefined when none does. */
export async function runningPostgresUrl(dataDir: string): Promise<string | undefined> {
  const lines = (await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  const port = Number(lines[3]);
  if (!Number.isInteger(port) || port === 0 || lines[7]?.trim() !== 'ready') return undefined;
  const url = connectionUrl(keptSecret(join(dataDir, 'postgres-password')), port, DATABASE);
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return url;
  } catch (error) {
    // The file was left over: nobody listens there.
    if ((error as { code?: unknown }).code === 'ECONNREFUSED') return undefined;
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

function connectionUrl(password: string, port: number, database: string): string {
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

/** The cluster in `home`, made whole under another name first, so that a crash leaves no half of one. */
async function prepareCluster(home: string, passwordFile: string, binaries: PostgresBinaries, launcher: Launcher): Promise<string> {
  const cluster = join(home, 'cluster');
  const version = join(cluster, 'PG_VERSION');
  if (existsSync(version)) {
    await assertSameMajor((await readFile(version, 'utf8')).trim(), binaries);
    await endStalePostgres(cluster);
    return cluster;
  }
  for (const name of await readdir(home)) {
    if (name.startsWith('cluster.')) await rm(join(home, name), { recursive: true, force: true });
  }
  const draft = join(home, `cluster.${process.pid}`);
  if (launcher.owner !== undefined) await chown(passwordFile, launcher.owner, launcher.owner);
  const args = ['-D', draft, '-U', SUPERUSER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8'];
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const child = launch(launcher, binaries.initdb, [...args, ...locale], { cwd: home, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`PostgreSQL's initdb failed: ${said.trim()}`);
  await rename(draft, cluster);
  return cluster;
}

async function assertSameMajor(found: string, binaries: PostgresBinaries): Promise<void> {
  const wanted = (await readFile(join(binaries.root, 'share', 'postgresql', 'postgres.bki'), 'utf8').catch(() => '')).match(
    /# PostgreSQL (\d+)/,
  )?.[1];
  if (wanted !== undefined && wanted !== found) {
    throw new Error(
      `the data were written by PostgreSQL ${found}, and this server brings ${wanted}: ` +
        'dump them with the former release and load them into this one, or set DATABASE_URL',
    );
  }
}

async function startServer(
  cluster: string,
  logFile: string,
  binaries: PostgresBinaries,
  launcher: Launcher,
  options: EmbeddedPostgresOptions,
): Promise<{ server: ChildProcess; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const log = openSync(logFile, 'w', 0o600);
    const args = ['-D', cluster, '-p', String(port), ...settingsOf(options)];
    const server = launch(launcher, binaries.postgres, args, { cwd: cluster, stdio: ['ignore', log, log] });
    closeSync(log);
    if (await isReady(cluster, server)) return { server, port };
    const said = await readFile(logFile, 'utf8').catch(() => '');
    // Another program may have taken the port meanwhile.
    if (attempt < 5 && /could not (bind|create any TCP)/i.test(said)) continue;
    throw new Error(`PostgreSQL did not start: ${said.trim() || 'it said nothing'}`);
  }
}

function settingsOf({ maxConnections, settings }: EmbeddedPostgresOptions): string[] {
  const all: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: String(maxConnections),
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    checkpoint_timeout: '15min',
    checkpoint_completion_target: '0.9',
    wal_compression: 'on',
    random_page_cost: '1.1',
    jit: 'off', // every statement here is short
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    // Statements carry people's words and secrets: none goes to the log.
    log_min_error_statement: 'panic',
    log_statement: 'none',
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** @returns false when PostgreSQL ended before it was ready */
async function isReady(cluster: string, server: ChildProcess): Promise<boolean> {
  let ended = false;
  server.once('exit', () => (ended = true));
  server.once('error', () => (ended = true));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!ended) {
    const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (lines[7]?.trim() === 'ready') return true;
    if (Date.now() > deadline) {
      await endChild(server);
      return false;
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  return false;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.ref();
  child.kill('SIGINT'); // "fast": open transactions are rolled back
  const harder = setTimeout(() => child.kill('SIGQUIT'), 10_000);
  const hardest = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(harder);
  clearTimeout(hardest);
}

async function makeDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
