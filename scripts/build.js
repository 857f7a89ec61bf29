// Builds when dist/ is not what the sources say; some milliseconds when it is. With --check nothing is built: exit 1 says that it should be.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const MARKER = 'dist/.inputs';
const NEST = 'node_modules/@nestjs/cli/bin/nest.js';

// An image that carries only the build has nothing to compare it with.
if (!existsSync('src') && existsSync('dist/src/main.js')) process.exit(0);

const inputs = stateOfInputs();
if (existsSync('dist/src/main.js') && existsSync(MARKER) && readFileSync(MARKER, 'utf8') === inputs) process.exit(0);
if (process.argv.includes('--check')) process.exit(1);

if (!existsSync(NEST)) {
  console.error('The server is not built, and the build tools are not installed: run `npm ci` (without --omit=dev) first.');
  process.exit(1);
}
console.log('Building…');
rmSync(MARKER, { force: true });
const { status } = spawnSync(process.execPath, [NEST, 'build'], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
writeFileSync(MARKER, inputs);

function stateOfInputs() {
  const sources = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`);
  const hash = createHash('sha256');
  for (const file of [...sources, 'ormconfig.ts', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json', 'package-lock.json'].sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}
