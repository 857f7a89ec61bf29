import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { chooseLauncher, launch } from '../../src/database/postgres-launcher.js';
import { until } from '../support/until.js';

/** A PostgreSQL of the test's own, with every write on disk before it is acknowledged: it can crash, and come back on its port. */
export class OwnPostgres {
  #again: ChildProcess | undefined;

  private constructor(
    private readonly first: EmbeddedPostgres,
    private readonly dataDir: string,
  ) {}

  static async start(): Promise<OwnPostgres> {
    const dataDir = await mkdtemp(join(tmpdir(), 'parley-faults-'));
    return new OwnPostgres(await EmbeddedPostgres.start({ dataDir, maxConnections: 100 }), dataDir);
  }

  get url(): string {
    return this.first.url;
  }

  /** What `pg_ctl -m immediate` does: every process ends at once, and nothing is written any more. */
  async crash(): Promise<void> {
    const pid = Number((await this.#lines('postmaster.pid'))[0]);
    process.kill(pid, 'SIGQUIT');
    await until(() => !isThere(pid), 'PostgreSQL has ended');
  }

  /** Starts it as it was started. Resolves when it has recovered and serves. */
  async comeBack(): Promise<void> {
    const [program, ...args] = [...(await this.#lines('postmaster.opts'))[0]!.matchAll(/"([^"]*)"|(\S+)/g)].map(
      (match) => match[1] ?? match[2]!,
    );
    const launcher = await chooseLauncher({ program: program!, folder: this.#home });
    this.#again = launch(launcher, program!, args, { cwd: this.#cluster, stdio: 'ignore' });
    await until(async () => (await this.#lines('postmaster.pid'))[7]?.trim() === 'ready', 'PostgreSQL is back', 30_000);
  }

  async drop(): Promise<void> {
    // In good order, as the first one ends.
    if (this.#again?.exitCode === null) {
      this.#again.kill('SIGINT');
      await once(this.#again, 'exit');
    }
    await this.first.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  get #home(): string {
    return join(this.dataDir, 'postgres');
  }

  get #cluster(): string {
    return join(this.#home, 'cluster');
  }

  async #lines(file: string): Promise<string[]> {
    return (await readFile(join(this.#cluster, file), 'utf8').catch(() => '')).split('\n');
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
