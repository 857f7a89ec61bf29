import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keptSecret } from './private-file.js';

describe('keptSecret', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-secret-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes one, of mode 0600, and keeps it', () => {
    const path = join(folder, 'secret');
    const secret = keptSecret(path);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(keptSecret(path)).toBe(secret);
    expect(keptSecret(join(folder, 'another'))).not.toBe(secret);
    expect(readdirSync(folder).sort()).toEqual(['another', 'secret']);
  });

  it.each([
    ['nothing', '', 'must have at least 32 bytes'],
    ['too little', `${'ab1'.repeat(10)}\n`, 'must have at least 32 bytes'],
    ['one letter, many times', 'a'.repeat(64), 'is too easy to guess'],
  ])('refuses a file that holds %s, rather than make up a new one', (_, kept, why) => {
    const path = join(folder, 'secret');
    writeFileSync(path, kept);
    expect(() => keptSecret(path)).toThrow(`${path} is not a secret that this server made: it ${why}`);
  });
});
