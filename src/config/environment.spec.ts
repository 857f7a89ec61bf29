import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment } from './environment.js';

describe('the environment', () => {
  const before = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-env-'));
    process.chdir(folder);
  });
  afterEach(() => {
    for (const name of ['PARLEY_ONE', 'PARLEY_TWO']) Reflect.deleteProperty(process.env, name);
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });

  it('wins over .env, but for what it leaves empty', () => {
    writeFileSync('.env', 'PARLEY_ONE=file\nPARLEY_TWO=file\nPARLEY_THREE=file\n');
    Object.assign(process.env, { PARLEY_ONE: 'process', PARLEY_TWO: '' });
    expect(readEnvironment()).toMatchObject({ PARLEY_ONE: 'process', PARLEY_TWO: 'file', PARLEY_THREE: 'file', PATH: process.env.PATH });
  });

  it('is all there is where there is no .env', () => {
    Object.assign(process.env, { PARLEY_ONE: 'process', PARLEY_TWO: '' });
    const { PARLEY_ONE, PARLEY_TWO } = readEnvironment();
    expect([PARLEY_ONE, PARLEY_TWO]).toEqual(['process', undefined]);
  });
});
