import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const NEEDED =
  'The tests need redis-server 7 or newer (or valkey-server) on the PATH, or the URL of one in TEST_REDIS_URL: ' +
  'on Debian and Ubuntu `sudo apt-get install redis-server`, on macOS `brew install redis`.';
const IMAGE = 'redis:7';
/** The image's program with its libraries and their loader, all in one folder: so it runs on any Linux. */
const PACK = `program=$(command -v redis-server)
tar -chf - --transform 's,.*/,,' "$program" $(ldd "$program" | grep -o '/[^ ]*')`;
const LAUNCH = `#!/bin/sh
folder=$(dirname "$0")
exec "$folder"/ld-* --library-path "$folder" "$folder/redis-server" "$@"
`;
const FOLDER = resolve(import.meta.dirname, '../../node_modules/.cache/parley-redis');

/**
 * The program that the tests start a Redis by: the one on the PATH. When it is missing it is installed, on Debian as root, or taken out of
 * its image, where there is Docker.
 * @throws {Error} with the sentence that says what to install
 */
export function findRedisServer(): string {
  const found = onPath();
  if (found !== undefined) return found;
  for (const provide of [installed, unpacked]) {
    const program = provide();
    if (program !== undefined) return program;
  }
  throw new Error(NEEDED);
}

function onPath(): string | undefined {
  return ['redis-server', 'valkey-server'].find(isNewEnough);
}

function isNewEnough(program: string): boolean {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return status === 0 && Number(/v=(\d+)/.exec(stdout)?.[1]) >= 7;
}

function installed(): string | undefined {
  if (process.getuid?.() !== 0 || !isDebian()) return undefined;
  const apt = (...parts: string[]) =>
    execFileSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-y', '-q', ...parts], {
      stdio: 'ignore',
      timeout: 180_000,
      // The package would start a server of its own.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
  const installServer = () => apt('install', '--no-install-recommends', 'redis-server');
  try {
    try {
      installServer();
    } catch {
      // The lists of packages may be missing or old.
      apt('update');
      installServer();
    }
  } catch {
    return undefined;
  }
  return onPath();
}

function isDebian(): boolean {
  return existsSync('/etc/os-release') && /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/** A process of this machine, and not a container: the tests stop it in its tracks, and reach it by any port. */
function unpacked(): string | undefined {
  const program = join(FOLDER, 'launch');
  if (process.platform !== 'linux') return undefined;
  if (existsSync(program) && isNewEnough(program)) return program;
  const options = { maxBuffer: 1_000_000_000, timeout: 300_000 };
  const { status, stdout } = spawnSync('docker', ['run', '--rm', '--entrypoint', 'sh', IMAGE, '-c', PACK], options);
  if (status !== 0) return undefined;
  mkdirSync(FOLDER, { recursive: true });
  if (spawnSync('tar', ['-xf', '-', '-C', FOLDER], { input: stdout }).status !== 0) return undefined;
  writeFileSync(program, LAUNCH);
  chmodSync(program, 0o755);
  return isNewEnough(program) ? program : undefined;
}
