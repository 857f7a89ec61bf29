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

  it('refuses a file that holds none, rather than make up a new one', () => {
    const path = join(folder, 'secret');
    writeFileSync(path, '');
    expect(() => keptSecret(path)).toThrow(/not a secret that this server made/);
  });
});
