import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { REPOSITORY } from './built-server.js';
import { until } from './until.js';

const START_MS = 60_000;
const END_MS = 20_000;
/** What no clean checkout has, for where git cannot tell. */
const MADE_HERE = ['.git', 'node_modules', 'dist', 'data', 'coverage', '.env'];

/**
 * A clean copy of the checkout in a temporary folder, and the server that a command starts there, on a free port and with its data in
 * `data`. The packages are linked: that `npm ci` works has just been shown by whoever runs these tests, CI by its own `npm ci`.
 */
export class Checkout {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'parley-readme-')));
  /** All that the last start wrote. */
  output = '';
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> | undefined;

  constructor() {
    const copy = (name: string) => cpSync(join(REPOSITORY, name), join(this.folder, name), { recursive: true });
    namesOf(REPOSITORY).forEach(copy);
    symlinkSync(join(REPOSITORY, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** Runs the command, as a process group of its own. @returns the port. @throws with what was written, when it does not come to serve */
  async start(command: string): Promise<number> {
    this.output = '';
    const child = spawn('bash', ['-c', `exec ${command}`], {
      cwd: this.folder,
      detached: true,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', LIMITS: 'off' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.#child = child;
    this.#ended = once(child, 'exit').then(([code]) => code as number | null);
    const port = () => /API +http:\/\/[^\s]+:(\d+)\/v1/.exec(this.output)?.[1];
    await until(() => port() ?? hasEnded(child), `${command} serves`, START_MS);
    if (port() === undefined) throw new Error(`${command} ended:\n${this.output}`);
    return Number(port());
  }

  /** The process of the server itself, below npm and its shell. */
  get serverPid(): number {
    const { pid } = JSON.parse(readFileSync(join(this.folder, 'data/server.lock'), 'utf8')) as { pid: number };
    return pid;
  }

  /** Signals the server alone. @returns the exit code of the command that started it */
  async killServer(signal: NodeJS.Signals): Promise<number | null> {
    process.kill(this.serverPid, signal);
    return this.#ended!;
  }

  /** Signals the command that started the server, as a supervisor does. @returns its exit code */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    process.kill(this.#child!.pid!, signal);
    return this.#ended!;
  }

  /** The processes that work in the folder or below it; none is known without /proc. */
  get processes(): number[] {
    if (process.platform !== 'linux') return [];
    const works = (pid: string): boolean => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${this.folder}/`);
      } catch {
        return false; // ended, or somebody else's
      }
    };
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && works(name))
      .map(Number);
  }

  /** Ends whatever still runs here, and removes the folder. Harmless wherever a test broke off. */
  async end(): Promise<void> {
    try {
      if (this.#child?.pid !== undefined && !hasEnded(this.#child)) {
        process.kill(-this.#child.pid, 'SIGKILL');
        await this.#ended;
      }
      // PostgreSQL is in a group of its own. A server that was killed takes it along where setpriv is there; elsewhere it is ended here.
      const postmaster = join(this.folder, 'data/postgres/cluster/postmaster.pid');
      if (existsSync(postmaster)) signalIfAlive(Number.parseInt(readFileSync(postmaster, 'utf8'), 10), 'SIGINT');
      await until(() => !existsSync(postmaster) && this.processes.length === 0, `nothing works below ${this.folder}`, END_MS);
    } finally {
      for (const pid of this.processes) signalIfAlive(pid, 'SIGKILL');
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    }
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The tracked files; where git is not there or this is no clone, all that was not made here. */
function namesOf(checkout: string): string[] {
  // Root may run the tests of somebody else's clone.
  const git = spawnSync('git', ['-c', `safe.directory=${checkout}`, 'ls-files', '-z'], { cwd: checkout, maxBuffer: 10_000_000 });
  const tracked = git.status === 0 ? git.stdout.toString().split('\0').filter(Boolean) : [];
  const names = tracked.length > 0 ? tracked : readdirSync(checkout).filter((name) => !MADE_HERE.includes(basename(name)));
  return names.filter((name) => existsSync(join(checkout, name)));
}
