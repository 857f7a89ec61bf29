import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { BuiltServer, type BuiltServerOptions, copyBuild } from '../support/built-server.js';
import { until } from '../support/until.js';

const NOBODY = 65_534;
/** A user whom no machine has a name for. */
const NAMELESS = 54_321;
const isRoot = process.getuid?.() === 0;
const account = { username: 'ada-lovelace', password: 'correct horse battery staple' };

// Some start a server several times; on a busy machine each start takes its time.
jest.setTimeout(90_000);

let folder: string;
let servers: BuiltServer[];

function makeFolder(): void {
  folder = mkdtempSync(join(tmpdir(), 'parley-e2e-')); // of mode 700
  servers = [];
}

async function removeFolder(): Promise<void> {
  for (const server of servers) {
    server.child.kill('SIGKILL');
    await server.exited;
  }
  await postgresGone(folder);
  rmSync(folder, { recursive: true, force: true });
}

function start(options: BuiltServerOptions = {}): BuiltServer {
  const settings = { DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn', ...options.settings };
  const server = BuiltServer.start({ ...options, settings });
  servers.push(server);
  return server;
}

async function post(base: string, path: string, body: object): Promise<number> {
  const response = await fetch(`${base}/v1/auth/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  return response.status;
}

// One story, whose chapters build on each other.
describe('the built server on one data folder, from its first start on', () => {
  let server: BuiltServer;
  let base: string;
  const at = (...names: string[]) => join(folder, 'data', ...names);
  const readFile = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : '');

  beforeAll(makeFolder);
  afterAll(removeFolder);

  it('makes its cluster whole, however often the first start is broken off, and ends its PostgreSQL when it is killed', async () => {
    // The lock is of this start, and not of the one before.
    const isUp = () =>
      readFile('server.lock').includes(`"pid":${server.child.pid},`) && readFile('postgres/cluster/postmaster.pid').includes('ready');
    // Or it was made too fast to be seen.
    const isMaking = () => existsSync(at('postgres', `cluster.${server.child.pid}`)) || isUp();
    // What a machine that lost its power has left: nobody was there to take it away.
    mkdirSync(at('postgres', 'cluster.1', 'base'), { recursive: true, mode: 0o711 });
    for (const [hasComeSoFar, signal, end] of [
      [isMaking, 'SIGKILL', { code: null, signal: 'SIGKILL' }],
      [isMaking, 'SIGTERM', { code: 0, signal: null }],
      [isUp, 'SIGKILL', { code: null, signal: 'SIGKILL' }],
    ] as const) {
      server = start();
      await until(hasComeSoFar, 'the start has come so far', 60_000);
      expect(await server.stop(signal)).toEqual(end);
    }
    await postgresGone(folder);

    server = start({ settings: { LOG_LEVEL: 'trace' } });
    base = await server.ready();
    expect(await post(base, 'register', account)).toBe(201);
    expect(readdirSync(at('postgres'))).toEqual(['cluster']);
  });

  it('says where it is and how to get a token', async () => {
    expect(server.output).toMatch(/Docs +http:\/\/localhost:\d+\/docs/);
    expect(server.output).toMatch(/Socket +ws:\/\/localhost:\d+\/ws/);
    const command = /^ +curl -s (\S+) -H 'content-type: application\/json' -d '(.+)'$/m.exec(server.output)!;
    const response = await fetch(command[1]!, { method: 'POST', headers: { 'content-type': 'application/json' }, body: command[2]! });
    expect(response.status).toBe(201);
    const { accessToken } = (await response.json()) as { accessToken: string };
    const me = await fetch(`${base}/v1/me`, { headers: { authorization: `Bearer ${accessToken}` } });
    expect(me.status).toBe(200);
  });

  it('logs no token that came in a URL or a header', async () => {
    await fetch(`${base}/v1/me?access_token=tell-nobody-1&x=1&ticket=tell-nobody-2`, {
      headers: { authorization: 'Bearer tell-nobody-3', cookie: 'a=tell-nobody-4', 'sec-websocket-protocol': 'bearer.tell-nobody-5' },
    });
    await until(() => server.output.includes('/v1/me?access_token=[redacted]&x=1&ticket=[redacted]'), 'the request is logged');
  });

  it('refuses a data folder in use, whose server goes on', async () => {
    const second = start();
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.output).toMatch(/^Parley cannot start: the data folder is in use by the process \d+ \(.+server\.lock\)\n$/);
    expect((await fetch(`${base}/health/ready`)).status).toBe(200);
  });

  it('lets no migrations run beside it, and says so in a line', async () => {
    const args = ['node_modules/typeorm/cli.js', 'migration:run', '-d', 'dist/ormconfig.js'];
    const env = { PATH: process.env.PATH, DATA_DIR: at() };
    const refused = promisify(execFile)(process.execPath, args, { env }).then(
      () => null,
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, output: stdout + stderr }),
    );
    expect(await refused).toEqual({
      code: 1,
      output: expect.stringMatching(
        /^Migrations cannot run: the data folder is in use by the process \d+ \(.+server\.lock\)\n$/,
      ) as unknown,
    });
    expect((await fetch(`${base}/health/ready`)).status).toBe(200);
  });

  it('stops in good order, and has kept what it was told and what it generated to itself', async () => {
    expect(readdirSync(at()).sort()).toEqual(['jwt-secret', 'postgres', 'postgres-password', 'postgres.log', 'server.lock']);
    expect(await server.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(existsSync(at('server.lock'))).toBe(false);
    expect(existsSync(at('postgres/cluster/postmaster.pid'))).toBe(false);

    expect(server.output).not.toContain('tell-nobody');
    for (const name of ['jwt-secret', 'postgres-password']) {
      expect([name, statSync(at(name)).mode & 0o777]).toEqual([name, 0o600]);
      expect(readFile(name)).toMatch(/^[0-9a-f]{64}\n$/);
      expect(server.output).not.toContain(readFile(name).trim());
    }
    expect(statSync(at()).mode & 0o777).toBe(0o711);
  });

  it('takes over the lock of a process that is no more, whoever has its number now, and has kept its data', async () => {
    const secret = readFile('jwt-secret');
    writeFileSync(at('server.lock'), JSON.stringify({ pid: process.pid, started: 'long ago' }));
    server = start();
    base = await server.ready();
    expect(await post(base, 'login', account)).toBe(200);
    expect(await post(base, 'register', { ...account, username: 'grace-hopper' })).toBe(201);
    expect(readFile('jwt-secret')).toBe(secret);
  });

  it('keeps its data over kill -9, at once; outlives a promise that nobody waited for, but not an exception that nobody caught', async () => {
    const secret = readFile('jwt-secret');
    await server.stop('SIGKILL');
    const faults = `process.on('SIGUSR2', () => Promise.reject(new Error('nobody waited'))); process.on('SIGWINCH', () => { throw new Error('nobody caught'); });`;
    server = start({ settings: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(faults)}` } });
    base = await server.ready();
    expect(await post(base, 'login', { ...account, username: 'grace-hopper' })).toBe(200);
    expect(readFile('jwt-secret')).toBe(secret);

    server.child.kill('SIGUSR2');
    await until(() => server.output.includes('nobody waited'), 'the promise is logged');
    expect((await fetch(`${base}/health/ready`)).status).toBe(200);
    expect(await server.stop('SIGWINCH')).toEqual({ code: 1, signal: null });
    expect(server.output).toContain('nobody caught');
    await postgresGone(folder);
  });

  it('refuses a port in use in one line, and leaves no PostgreSQL', async () => {
    const other = createServer().listen(0, '0.0.0.0');
    await once(other, 'listening');
    try {
      const { port } = other.address() as AddressInfo;
      for (const setting of ['PORT', 'METRICS_PORT']) {
        server = start({ settings: { [setting]: String(port) } });
        expect(await server.exited).toEqual({ code: 1, signal: null });
        expect(server.output).toBe(`Parley cannot start: port ${port} is in use. Set ${setting} to another one.\n`);
        await postgresGone(folder);
      }
    } finally {
      other.close();
    }
  });
});

describe('the built server', () => {
  beforeEach(makeFolder);
  afterEach(removeFolder);

  it('names every setting that is wrong, and no value', async () => {
    const server = start({ settings: { PORT: 'ninety', LOG_LEVEL: 'chatty', DATABASE_URL: 'mysql://root:hunter2@db/x' } });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    for (const name of ['PORT', 'LOG_LEVEL', 'DATABASE_URL']) expect(server.output).toContain(`  ${name}: `);
    expect(server.output).not.toContain('hunter2');
  });

  it('refuses a weak secret', async () => {
    const server = start({ settings: { JWT_SECRET: 'secret' } });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output).toContain('JWT_SECRET: must have at least 32 bytes');
  });

  it('says which database refuses it', async () => {
    const url = new URL(process.env.PARLEY_TEST_ADMIN_URL!);
    url.pathname = '/no_such_database';
    const server = start({ settings: { DATABASE_URL: url.href } });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output).toBe('Parley cannot start: database "no_such_database" does not exist\n');
  });

  it('stops while it waits for a database that is not there', async () => {
    const server = start({ settings: { DATABASE_URL: 'postgres://parley:parley@127.0.0.1:1/parley' } });
    await until(() => server.output.includes('Waiting for PostgreSQL'), 'it waits', 30_000);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  it('runs from a folder with spaces below one of mode 700, without the links of an install script', async () => {
    const tree = join(folder, 'a checkout', 'x'.repeat(100));
    mkdirSync(tree, { recursive: true });
    copyBuild(tree);
    const server = start({ tree, settings: { DATA_DIR: './data' } });
    await server.ready();
    expect(existsSync(join(tree, 'data/postgres/cluster/PG_VERSION'))).toBe(true);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  (isRoot ? it : it.skip).each([
    ['an ordinary user', NOBODY],
    ['one whom the machine has no name for', NAMELESS],
  ])('runs as %s who cannot write to the build', async (_, uid) => {
    chmodSync(folder, 0o755);
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    copyBuild(tree);
    const home = join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, uid, uid);
    const options = { tree, cwd: home, uid, settings: { DATA_DIR: './data' } };
    const server = start(options);
    expect(await post(await server.ready(), 'register', account)).toBe(201);
    await server.stop('SIGKILL');

    // Root, over the user's data, leaves them the user's.
    const asRoot = start({ tree, cwd: home, settings: { DATA_DIR: './data' } });
    expect(await post(await asRoot.ready(), 'login', account)).toBe(200);
    await asRoot.stop();
    const again = start(options);
    expect(await post(await again.ready(), 'login', account)).toBe(200);
    expect(await again.stop()).toEqual({ code: 0, signal: null });
  });
});

/** Waits until no process works below the folder. Where /proc does not tell, the next start has to see to it. */
async function postgresGone(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const works = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(join(folder, ''));
    } catch {
      return false;
    }
  };
  const deadline = Date.now() + 15_000;
  while (readdirSync('/proc').some((name) => /^\d+$/.test(name) && works(name))) {
    if (Date.now() > deadline) throw new Error(`a process still works below ${folder}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
