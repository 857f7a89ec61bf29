import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const NEEDED =
  'The tests need redis-server 7 or newer (or valkey-server) on the PATH, or the URL of one in TEST_REDIS_URL: ' +
  'on Debian and Ubuntu `sudo apt-get install redis-server`, on macOS `brew install redis`.';

/**
 * The program that the tests start their own Redis by: the one on the PATH; on Debian as root it is installed when it is missing.
 * @throws {Error} with the sentence that says what to install
 */
export function findRedisServer(): string {
  const found = onPath();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && isDebian()) install();
  const installed = onPath();
  if (installed === undefined) throw new Error(NEEDED);
  return installed;
}

function onPath(): string | undefined {
  return ['redis-server', 'valkey-server'].find((name) => {
    const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
    return status === 0 && Number(/v=(\d+)/.exec(stdout)?.[1]) >= 7;
  });
}

function isDebian(): boolean {
  return existsSync('/etc/os-release') && /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function install(): void {
  const apt = (...parts: string[]) =>
    execFileSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-y', '-q', ...parts], {
      stdio: 'ignore',
      timeout: 180_000,
      // The package would start a server of its own.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
  const installServer = () => apt('install', '--no-install-recommends', 'redis-server');
  try {
    installServer();
  } catch {
    // The lists of packages may be missing or old.
    try {
      apt('update');
      installServer();
    } catch (error) {
      throw new Error(NEEDED, { cause: error });
    }
  }
}
