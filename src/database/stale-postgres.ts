import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const POLL_MS = 20;
/** What a server gets to end in good order, then at once, before it is killed. */
const FAST_MS = 10_000;
const IMMEDIATE_MS = 5_000;

/**
 * Ends the PostgreSQL that a server which was killed left behind on this cluster, and waits until the last of its processes is gone:
 * only then may a new one start. The caller holds the data folder's lock, so what runs here has no owner any more.
 */
export async function endStalePostgres(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const home = await realpath(cluster);
  if (await drained(home, pidFile, undefined, 0)) return;
  for (const [signal, patienceMs] of [
    ['SIGINT', FAST_MS],
    ['SIGQUIT', IMMEDIATE_MS],
    ['SIGKILL', IMMEDIATE_MS],
  ] as const) {
    if (await drained(home, pidFile, signal, patienceMs)) return;
  }
  throw new Error(`a PostgreSQL that runs on ${cluster} cannot be ended`);
}

/** Signals the postmaster (all of the cluster's processes, for SIGKILL), and waits. */
async function drained(home: string, pidFile: string, signal: NodeJS.Signals | undefined, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  const postmaster = await postmasterOf(pidFile);
  const found = await processesOf(home, postmaster);
  if (signal !== undefined) {
    const targets = signal === 'SIGKILL' || !found.includes(postmaster ?? -1) ? found : [postmaster!];
    for (const pid of targets) send(pid, signal);
  }
  for (;;) {
    if ((await processesOf(home, postmaster)).length === 0) {
      // Its number may be another program's by now, and PostgreSQL would take that one for a server of its own.
      await rm(pidFile, { force: true });
      return true;
    }
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function postmasterOf(pidFile: string): Promise<number | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** Every process of PostgreSQL works in the cluster's folder, and nothing else does. Without /proc only the postmaster is known. */
async function processesOf(home: string, postmaster: number | undefined): Promise<number[]> {
  if (process.platform !== 'linux') {
    if (postmaster === undefined) return [];
    const { stdout } = await run('ps', ['-p', String(postmaster), '-o', 'command=']).catch(() => ({ stdout: '' }));
    return stdout.includes('postgres') ? [postmaster] : [];
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const homes = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  const inside = pids.filter((_, index) => homes[index] === home);
  const programs = await Promise.all(inside.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => '')));
  return inside.filter((_, index) => /\/postgres(\s|$)/.test(programs[index]!)).map(Number);
}
