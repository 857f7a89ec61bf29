import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFolderInUse, lockDataFolder } from './data-lock.js';

describe('lockDataFolder', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-lock-'));
    path = join(folder, 'server.lock');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is held by one at a time, and given back', () => {
    const unlock = lockDataFolder(path);
    expect(() => lockDataFolder(path)).toThrow(DataFolderInUse);
    expect(() => lockDataFolder(path)).toThrow(`the data folder is in use by the process ${process.pid} (${path})`);
    unlock();
    expect(existsSync(path)).toBe(false);
    lockDataFolder(path)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['of a process that is no more', JSON.stringify({ pid: 2 ** 30, started: '' })],
    ['that was cut off by a crash', '{"pid":'],
    ['that is empty', ''],
    ['that is something else', '[1]'],
  ])('is taken over from a lock %s', (_, content) => {
    writeFileSync(path, content);
    const unlock = lockDataFolder(path);
    expect(() => lockDataFolder(path)).toThrow(DataFolderInUse);
    unlock();
  });

  it('is not taken away from its next holder by the one before', () => {
    const unlock = lockDataFolder(path);
    writeFileSync(path, JSON.stringify({ pid: process.ppid, started: '' }));
    unlock();
    expect(existsSync(path)).toBe(true);
  });
});
