import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';

/** The folder is in use by a process that lives. */
export class DataFolderInUse extends Error {
  override readonly name = 'DataFolderInUse';
}

/** Who holds the lock: a pid alone may have been given to another process since. */
interface Holder {
  pid: number;
  started: string;
}

/**
 * Takes a data folder for this process. A lock whose holder is gone, after a `kill -9` or a crash of the machine, is taken over at once.
 * @returns a function that gives the folder back
 * @throws {DataFolderInUse}
 */
export function lockDataFolder(lockPath: string): () => void {
  const own = JSON.stringify({ pid: process.pid, started: startOf(process.pid) ?? '' } satisfies Holder);
  const draft = `${lockPath}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, own, { mode: 0o600 });
  try {
    while (!tryLink(draft, lockPath)) removeStale(lockPath);
  } finally {
    unlinkSync(draft);
  }
  return () => {
    if (readOptional(lockPath) === own) unlinkSync(lockPath);
  };
}

// A link appears with its whole content, or not at all.
function tryLink(draft: string, lockPath: string): boolean {
  try {
    linkSync(draft, lockPath);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function removeStale(lockPath: string): void {
  const found = readOptional(lockPath);
  if (found === undefined) return;
  const holder = parse(found);
  if (holder !== undefined && lives(holder)) {
    throw new DataFolderInUse(`the data folder is in use by the process ${holder.pid} (${lockPath})`);
  }
  // Another starter may have replaced the stale lock by its own since it was read: what was taken away is looked at again.
  const aside = `${lockPath}.stale.${process.pid}`;
  try {
    renameSync(lockPath, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== found) tryLink(aside, lockPath);
  unlinkSync(aside);
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.pid === 'number' && typeof holder.started === 'string' ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function lives({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return now === undefined || (now !== 'dead' && (started === '' || now === started));
}

/** When the process began, in the machine's own terms; undefined where /proc does not tell; `dead` when it only waits to be buried. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name, may hold spaces and brackets. Behind it "state" is the first, and "starttime" the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'dead';
    const ticks = fields[19];
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${ticks}`;
  } catch {
    return undefined;
  }
}
