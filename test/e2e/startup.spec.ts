import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
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
import { BuiltServer, type BuiltServerOptions, copyBuild } from '../support/built-server.js';

const NOBODY = 65_534;
/** A user whom no machine has a name for. */
const NAMELESS = 54_321;
const isRoot = process.getuid?.() === 0;
const account = { username: 'ada-lovelace', password: 'correct horse battery staple' };

// Some start a server, and make its cluster, several times; on a busy machine each start takes its time.
jest.setTimeout(90_000);

describe('the built server', () => {
  let folder: string;
  let servers: BuiltServer[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-e2e-')); // of mode 700
    servers = [];
  });
  afterEach(async () => {
    for (const server of servers) {
      server.child.kill('SIGKILL');
      await server.exited;
    }
    await postgresGone(folder);
    rmSync(folder, { recursive: true, force: true });
  });

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

  it('says where it is and how to get a token, and stops in good order', async () => {
    const server = start();
    const base = await server.ready();
    expect(server.output).toMatch(/Docs +http:\/\/localhost:\d+\/docs/);
    expect(server.output).toMatch(/Socket +ws:\/\/localhost:\d+\/ws/);
    const command = /^ +curl -s (\S+) -H 'content-type: application\/json' -d '(.+)'$/m.exec(server.output)!;
    const response = await fetch(command[1]!, { method: 'POST', headers: { 'content-type': 'application/json' }, body: command[2]! });
    expect(response.status).toBe(201);
    const { accessToken } = (await response.json()) as { accessToken: string };
    const me = await fetch(`${base}/v1/me`, { headers: { authorization: `Bearer ${accessToken}` } });
    expect(me.status).toBe(200);

    expect(await server.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(existsSync(join(folder, 'data/server.lock'))).toBe(false);
    expect(existsSync(join(folder, 'data/postgres/cluster/postmaster.pid'))).toBe(false);
  });

  it('keeps its data over a restart and over kill -9, at once', async () => {
    const first = start();
    expect(await post(await first.ready(), 'register', account)).toBe(201);
    const secret = readFileSync(join(folder, 'data/jwt-secret'), 'utf8');
    await first.stop();

    const second = start();
    expect(await post(await second.ready(), 'login', account)).toBe(200);
    expect(await post(await second.ready(), 'register', { ...account, username: 'grace-hopper' })).toBe(201);
    await second.stop('SIGKILL');

    const third = start();
    expect(await post(await third.ready(), 'login', { ...account, username: 'grace-hopper' })).toBe(200);
    expect(readFileSync(join(folder, 'data/jwt-secret'), 'utf8')).toBe(secret);
    expect(await third.stop()).toEqual({ code: 0, signal: null });
  });

  it('makes its cluster whole, however often the first start is broken off', async () => {
    for (const [afterMs, signal] of [
      [250, 'SIGKILL'],
      [600, 'SIGTERM'],
      [900, 'SIGKILL'],
    ] as const) {
      const server = start();
      await new Promise((done) => setTimeout(done, afterMs));
      const { code } = await server.stop(signal);
      // A signal that comes before the server listens for it ends the process by itself.
      if (signal === 'SIGTERM') expect([0, null]).toContain(code);
    }
    const server = start();
    expect(await post(await server.ready(), 'register', account)).toBe(201);
    expect(readdirSync(join(folder, 'data/postgres'))).toEqual(['cluster']);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  it('ends its PostgreSQL when it is killed', async () => {
    const server = start();
    await server.ready();
    await server.stop('SIGKILL');
    await postgresGone(folder);
  });

  it('keeps what it generates to itself', async () => {
    const server = start();
    await server.ready();
    for (const name of ['jwt-secret', 'postgres-password']) {
      const path = join(folder, 'data', name);
      expect([name, statSync(path).mode & 0o777]).toEqual([name, 0o600]);
      expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
      expect(server.output).not.toContain(readFileSync(path, 'utf8').trim());
    }
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o711);
    expect(readdirSync(join(folder, 'data')).sort()).toEqual([
      'jwt-secret',
      'postgres',
      'postgres-password',
      'postgres.log',
      'server.lock',
    ]);
  });

  it('refuses a port in use in one line, and leaves no PostgreSQL', async () => {
    const other = createServer().listen(0, '0.0.0.0');
    await once(other, 'listening');
    try {
      const { port } = other.address() as AddressInfo;
      for (const setting of ['PORT', 'METRICS_PORT']) {
        const server = start({ settings: { [setting]: String(port) } });
        expect(await server.exited).toEqual({ code: 1, signal: null });
        expect(server.output).toBe(`Parley cannot start: port ${port} is in use. Set ${setting} to another one.\n`);
        await postgresGone(folder);
      }
    } finally {
      other.close();
    }
  });

  it('refuses a data folder in use, whose server goes on', async () => {
    const first = start();
    const base = await first.ready();
    const second = start();
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.output).toMatch(/^Parley cannot start: the data folder is in use by the process \d+ \(.+server\.lock\)\n$/);
    expect((await fetch(`${base}/health/ready`)).status).toBe(200);
  });

  it('takes over the lock of a process that is no more, whoever has its number now', async () => {
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data/server.lock'), JSON.stringify({ pid: process.pid, started: 'long ago' }));
    await start().ready();
  });

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
    while (!server.output.includes('Waiting for PostgreSQL')) await new Promise((done) => setTimeout(done, 20));
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  it('logs no token that came in a URL or a header', async () => {
    const server = start({ settings: { LOG_LEVEL: 'trace' } });
    const base = await server.ready();
    await fetch(`${base}/v1/me?access_token=tell-nobody-1&x=1&ticket=tell-nobody-2`, {
      headers: { authorization: 'Bearer tell-nobody-3', cookie: 'a=tell-nobody-4', 'sec-websocket-protocol': 'bearer.tell-nobody-5' },
    });
    await server.stop();
    expect(server.output).toContain('/v1/me?access_token=[redacted]&x=1&ticket=[redacted]');
    expect(server.output).not.toContain('tell-nobody');
  });

  it('outlives a promise that nobody waited for, but not an exception that nobody caught', async () => {
    const faults = `process.on('SIGUSR2', () => Promise.reject(new Error('nobody waited'))); process.on('SIGWINCH', () => { throw new Error('nobody caught'); });`;
    const server = start({ settings: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(faults)}` } });
    const base = await server.ready();
    server.child.kill('SIGUSR2');
    while (!server.output.includes('nobody waited')) await new Promise((done) => setTimeout(done, 20));
    expect((await fetch(`${base}/health/ready`)).status).toBe(200);
    expect(await server.stop('SIGWINCH')).toEqual({ code: 1, signal: null });
    expect(server.output).toContain('nobody caught');
    await postgresGone(folder);
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
