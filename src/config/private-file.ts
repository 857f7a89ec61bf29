import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { weaknessOf } from './setting-values.js';

/**
 * Reads a secret that was kept in `path`, or makes one there, of mode 0600. Whole or not at all: a crash leaves no half of it, and of
 * two processes that make one at the same time both get the same. One that is kept is held to what the setting JWT_SECRET is held to.
 * @returns 64 hexadecimal digits when it is made here
 * @throws when what is kept there is too easy to guess
 */
export function keptSecret(path: string): string {
  return read(path) ?? make(path);
}

function read(path: string): string | undefined {
  try {
    const secret = readFileSync(path, 'utf8').trim();
    const weakness = weaknessOf(secret);
    if (weakness) throw new Error(`${path} is not a secret that this server made: it ${weakness}. Remove it, or put it back as it was`);
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function make(path: string): string {
  const secret = randomBytes(32).toString('hex');
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${secret}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(draft, path); // unlike a rename, this never replaces one that is there
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return keptSecret(path);
    throw error;
  } finally {
    unlinkSync(draft);
  }
}
