import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DEPCRUISE = join(process.cwd(), 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Violation {
  from: string;
  rule: { name: string };
}

// Each runs the checker as a program, some more than once; on a busy machine that takes its time.
jest.setTimeout(90_000);

/** A law that never refuses anything would pass every build: here it sees houses that break it. */
describe('the law of imports', () => {
  let house: string;

  beforeEach(async () => {
    house = await mkdtemp(join(tmpdir(), 'parley-law-'));
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) await cp(file, join(house, file));
  });

  afterEach(() => rm(house, { recursive: true, force: true }));

  async function violations(files: Record<string, string>): Promise<string[]> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(house, path)), { recursive: true });
      await writeFile(join(house, path), text);
    }
    const { stdout } = await run(process.execPath, [DEPCRUISE, 'src', '--config', '--output-type', 'json'], { cwd: house }).catch(
      (failed: { stdout: string }) => failed,
    );
    const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[] } };
    return summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`).sort();
  }

  it('lets a file import from its own folder and from lower ranks', async () => {
    const found = await violations({
      'src/main.ts': `import { gateway } from './realtime/gateway.js'; export const main = gateway;`,
      'src/realtime/gateway.ts': `import { send } from '../messaging/send.js'; import { hub } from './hub.js'; export const gateway = [send, hub];`,
      'src/realtime/hub.ts': `import { frame } from '../protocol/frame.js'; export const hub = frame;`,
      'src/messaging/send.ts': `import { log } from '../log/log.js'; export const send = log;`,
      'src/log/log.ts': `import { bus } from '../bus/bus.js'; export const log = bus;`,
      'src/bus/bus.ts': `import { frame } from '../protocol/frame.js'; export const bus = frame;`,
      'src/protocol/frame.ts': `export const frame = 1;`,
    });
    expect(found).toEqual([]);
  });

  it('refuses imports from a higher rank and from a peer', async () => {
    const wrong = [
      ['protocol', 'errors/theirs'],
      ['errors', 'config/theirs'],
      ['bus', 'log/theirs'],
      ['auth', 'rooms/theirs'],
      ['log', 'messaging/theirs'],
      ['rooms', 'presence/theirs'],
      ['database', 'bus/theirs'],
      ['messaging', 'presence/theirs'],
      ['presence', 'messaging/theirs'],
      ['admin', 'health/theirs'],
      ['changes', 'application'],
    ] as const;
    const files: Record<string, string> = {};
    for (const [from, to] of wrong) {
      files[`src/${from}/ours.ts`] = `import type { Theirs } from '../${to}.js'; export const ours: Theirs = 1;`;
      files[`src/${to}.ts`] = `export type Theirs = number;`;
    }
    files['src/main.ts'] = wrong.map(([from]) => `export * as ${from} from './${from}/ours.js';`).join('\n');
    expect(await violations(files)).toEqual(wrong.map(([from]) => `law-${from}: src/${from}/ours.ts`).sort());
  });

  it('refuses that anything but the composition imports the sockets', async () => {
    const found = await violations({
      'src/main.ts': `import { app } from './app.module.js'; export const main = app;`,
      'src/app.module.ts': `import { a } from './rooms/a.js'; import { b } from './other.js'; import { hub } from './realtime/hub.js'; export const app = [a, b, hub];`,
      'src/other.ts': `import { hub } from './realtime/hub.js'; export const b = hub;`,
      'src/rooms/a.ts': `import { hub } from '../realtime/hub.js'; export const a = hub;`,
      'src/realtime/hub.ts': `export const hub = 1;`,
    });
    expect(found).toEqual([
      'law-rooms: src/rooms/a.ts',
      'nobody-imports-realtime: src/other.ts',
      'nobody-imports-realtime: src/rooms/a.ts',
    ]);
  });

  it('refuses cycles, orphans, dead code, a folder without a rank, and imports of tests and of what is not there', async () => {
    const found = await violations({
      'src/main.ts': `import { a } from './rooms/a.js'; import { c } from './elsewhere/c.js'; import { d } from './rooms/d.js'; export const main = [a, c, d];`,
      'src/rooms/a.ts': `import { b } from './b.js'; export const a = () => b;`,
      'src/rooms/b.ts': `import { a } from './a.js'; export const b = () => a;`,
      'src/elsewhere/c.ts': `export const c = 1;`,
      'src/rooms/d.ts': `import { e } from '../../test/e.js'; import { f } from './f.js'; export const d = [e, f];`,
      'src/rooms/left-over.ts': `export const orphan = 1;`,
      'test/e.ts': `export const e = 1;`,
    });
    expect(found).toEqual(
      expect.arrayContaining([
        'no-cycles: src/rooms/a.ts',
        'no-orphans: src/rooms/left-over.ts',
        'reachable: src/rooms/left-over.ts',
        'known-folders: src/main.ts',
        'no-test-in-src: src/rooms/d.ts',
        'resolvable: src/rooms/d.ts',
      ]),
    );
  });
});
