import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from './built-server.js';
import { findRedisServer } from './redis-server.js';

const REAL = spawnSync('sh', ['-c', `command -v ${findRedisServer()}`], { encoding: 'utf8' }).stdout.trim();
const SHELL = ['sh', 'tar', 'ldd', 'bash', 'grep', 'dirname', 'cat', 'ln', 'gzip'];

/** The search on a machine that has no programs but a shell's own, and those that a test makes. */
describe('the search for a redis-server', () => {
  let machine: string;
  let path: string;

  beforeEach(() => {
    machine = mkdtempSync(join(tmpdir(), 'parley-machine-'));
    path = join(machine, 'bin');
    for (const folder of ['scripts', 'test/support']) cpSync(join(REPOSITORY, folder), join(machine, folder), { recursive: true });
    cpSync(join(REPOSITORY, 'package.json'), join(machine, 'package.json'));
    spawnSync('mkdir', ['-p', path, join(machine, 'node_modules')]);
    for (const name of ['typescript', '@swc']) symlinkSync(join(REPOSITORY, 'node_modules', name), join(machine, 'node_modules', name));
    for (const name of SHELL) {
      const program = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
      if (program !== '') symlinkSync(program, join(path, name));
    }
  });
  afterEach(() => rmSync(machine, { recursive: true, force: true }));

  function program(name: string, text: string): void {
    writeFileSync(join(path, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }

  function search(): { program: string; error: string } {
    const code = `import { findRedisServer } from './test/support/redis-server.ts'; process.stdout.write(findRedisServer())`;
    const args = ['--import', './scripts/typescript.js', '--input-type=module', '-e', code];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: machine, env: { PATH: path }, encoding: 'utf8' });
    return { program: stdout, error: stderr };
  }

  it('takes the one on the PATH', () => {
    symlinkSync(REAL, join(path, 'redis-server'));
    expect(search().program).toBe('redis-server');
  });

  it('takes none that is too old', () => {
    program('redis-server', 'echo Redis server v=6.2.1');
    program('valkey-server', 'echo Valkey server v=8.1.0');
    expect(search().program).toBe('valkey-server');
  });

  const isDebianRoot = process.getuid?.() === 0 && spawnSync('sh', ['-c', 'command -v apt-get']).status === 0;
  (isDebianRoot ? it : it.skip)('installs it on Debian as root, with new lists of packages when the old ones do not do', () => {
    program(
      'apt-get',
      `case "$*" in *update) >"${machine}/new" ;; *) [ -e "${machine}/new" ] && ln -s ${REAL} ${path}/redis-server ;; esac`,
    );
    expect(search().program).toBe('redis-server');
  });

  (process.platform === 'linux' ? it : it.skip)('takes it out of its image where there is Docker', () => {
    // A container whose files are this machine's.
    program('docker', `[ "$1" = run ] || exit 1\nwhile [ "$1" != -c ]; do shift; done\nPATH=${process.env.PATH} exec sh -c "$2"`);
    const found = search();
    expect(found).toEqual({ program: join(machine, 'node_modules/.cache/parley-redis/launch'), error: '' });
    expect(spawnSync(found.program, ['--version'], { encoding: 'utf8' }).stdout).toMatch(/v=\d+/);
    rmSync(join(path, 'docker'));
    expect(search().program).toBe(found.program);
  });

  it('says what to install where it can do nothing', () => {
    const { program, error } = search();
    expect(program).toBe('');
    expect(error).toMatch(/The tests need redis-server 7 or newer .* TEST_REDIS_URL.*apt-get install redis-server.*brew install redis/);
  });
});
