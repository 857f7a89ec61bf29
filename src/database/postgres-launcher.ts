import { execFile, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { chown, lstat, readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `nobody`. PostgreSQL asks for its user's name, which the machine must know. */
const NOBODY = 65_534;
const NAMESPACE = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];

/** Nothing of the server's environment goes to PostgreSQL: PGPORT, PGDATA and their like would change what it does. */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

/** A way to run PostgreSQL's programs, which refuse to run as root. */
export interface Launcher {
  /** For the log. */
  name: string;
  /** Programs that run the program. */
  prefix: string[];
  /** Whom the data must belong to; undefined: whoever makes it. */
  owner?: number;
  /** For Node's own change of user. */
  uid?: number;
}

/**
 * Chooses the first of these that works here:
 * as an ordinary user, plainly; as one whom the machine has no name for, in a user namespace where he is called nobody; as root over data of an ordinary user, as that user; as root, in a user namespace where root is called
 * nobody (it may enter folders of mode 700, and its files are root's outside); as root without namespaces, as nobody, with the
 * capability to enter folders when it needs that.
 * Where `setpriv` is there, PostgreSQL is ended in good order when this process dies, however it dies.
 *
 * @param probe a program and a folder that must both be reachable for PostgreSQL
 * @throws {Error} in words for the operator
 */
export async function chooseLauncher(probe: { program: string; folder: string }): Promise<Launcher> {
  const dying = (await works(['setpriv', '--pdeathsig', 'INT', 'true'])) ? ['setpriv', '--pdeathsig', 'INT'] : [];
  if (process.getuid?.() !== 0) return userLauncher(probe, dying);

  const owner = (await lstat(probe.folder)).uid;
  for (const launcher of rootLaunchers(owner, dying)) {
    if (launcher.owner !== undefined) await give(probe.folder, launcher.owner);
    if (await reaches(launcher, probe)) return launcher;
  }
  throw new Error(
    `PostgreSQL does not run as root, and no other user here can reach both ${probe.program} and ${probe.folder}: ` +
      'start the server as an ordinary user, or set DATABASE_URL',
  );
}

async function userLauncher(probe: { program: string; folder: string }, dying: string[]): Promise<Launcher> {
  const plain: Launcher = { name: 'this user', prefix: dying };
  if (hasName()) return plain;
  const named: Launcher = { name: 'this user, as nobody in a user namespace', prefix: [...NAMESPACE, ...dying] };
  return (await reaches(named, probe)) ? named : plain;
}

/** Whether the machine knows this process's user by name: containers run as any number. */
function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

function rootLaunchers(owner: number, dying: string[]): Launcher[] {
  const user = owner === 0 ? NOBODY : owner;
  const drop = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  const enter = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  const death = dying.slice(1);
  return [
    ...(owner === 0 ? [{ name: 'nobody in a user namespace', prefix: [...NAMESPACE, ...dying], owner: 0 }] : []),
    { name: `user ${user}`, prefix: [...drop, ...death], owner: user },
    { name: `user ${user} who may enter all folders`, prefix: [...drop, ...enter, ...death], owner: user },
    { name: `user ${user}`, prefix: [], owner: user, uid: user },
  ];
}

/** Starts a program of PostgreSQL's; a process group of its own keeps a terminal's Ctrl-C from it. */
export function launch(launcher: Launcher, program: string, args: string[], options: { cwd: string; stdio: StdioOptions }): ChildProcess {
  const [file, ...rest] = [...launcher.prefix, program, ...args];
  const user = launcher.uid === undefined ? {} : { uid: launcher.uid, gid: launcher.uid };
  return spawn(file!, rest, { ...options, ...user, env: ENVIRONMENT, detached: true });
}

async function reaches(launcher: Launcher, { program, folder }: { program: string; folder: string }): Promise<boolean> {
  const user = launcher.uid === undefined ? {} : { uid: launcher.uid, gid: launcher.uid };
  return works([...launcher.prefix, '/bin/sh', '-c', 'test -w "$1" && exec "$0" --version', program, folder], user);
}

async function works([file, ...args]: string[], user: { uid?: number; gid?: number } = {}): Promise<boolean> {
  return run(file!, args, { ...user, cwd: '/', env: ENVIRONMENT, timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}

/**
 * Gives a folder and all in it to a user, if it is not theirs. What vanishes meanwhile needs no owner: a PostgreSQL whose server was
 * killed may still be ending in there.
 */
async function give(path: string, owner: number): Promise<void> {
  try {
    const found = await lstat(path);
    if (found.isDirectory()) {
      for (const name of await readdir(path)) await give(join(path, name), owner);
    }
    // Last, so that a folder is theirs only when all in it is.
    if (found.uid !== owner && !found.isSymbolicLink()) await chown(path, owner, owner);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
