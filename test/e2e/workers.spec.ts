import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from '../support/built-server.js';
import { ChatClient } from '../support/chat-client.js';
import { MetricsPage } from '../support/metrics-page.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

const JWT_SECRET = 'a-secret-of-the-tests-0123456789-abcdefghij';

// Several processes start in each; on a busy machine that takes its time.
jest.setTimeout(90_000);

describe('several workers on one port', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let folder: string;
  let server: BuiltServer;
  const servers: BuiltServer[] = [];
  /** Sockets that this server was asked for. */
  let opened: number;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'parley-workers-'));
    [redis, database] = await Promise.all([TestRedis.start(), createTestDatabase()]);
  });
  afterAll(async () => {
    await kill();
    await Promise.all([redis.stop(), database.drop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function kill(): Promise<void> {
    for (const one of servers.splice(0)) {
      one.child.kill('SIGKILL');
      await one.exited;
    }
  }

  function start(settings: Record<string, string> = {}): BuiltServer {
    const usual = {
      DATABASE_URL: database.url,
      JWT_SECRET,
      DATA_DIR: join(folder, 'data'),
      LIMITS: 'off',
      DRAIN_MS: '0',
      LOG_LEVEL: 'info',
    };
    server = BuiltServer.start({ settings: { ...usual, REDIS_URL: redis.url, WEB_CONCURRENCY: '2', ...settings } });
    servers.push(server);
    opened = 0;
    return server;
  }

  /** Process ids of the workers that have come to serve, in order. */
  function workers(of = server): number[] {
    return [...of.output.matchAll(/"Worker (\d+) serves\."/g)].map(([, pid]) => Number(pid));
  }

  async function register(url: string, username: string): Promise<string> {
    const body = JSON.stringify({ username, password: 'correct horse battery staple' });
    const answer = await fetch(`${url}/v1/auth/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { accessToken: string }).accessToken;
  }

  function open(url: string, token: string): Promise<ChatClient> {
    opened++;
    return ChatClient.connect(`${url.replace('http', 'ws')}/ws`, { token });
  }

  async function makeRoom(url: string, token: string): Promise<string> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/v1/rooms`, { method: 'POST', headers, body: '{"type":"public"}' });
    return ((await answer.json()) as { id: string }).id;
  }

  /** Resolves when each of these workers, and no other, has answered a request, as their logs tell. One that is slow to accept is left out of its turn. */
  async function allAnswer(url: string, pids: readonly number[]): Promise<void> {
    const from = server.output.length;
    const answered = () =>
      new Set([...server.output.slice(from).matchAll(/"pid":(\d+),.*"url":"\/v1\/me"/g)].map(([, pid]) => Number(pid)));
    await until(async () => {
      for (let i = 0; i < 4; i++) await fetch(`${url}/v1/me`, { headers: { connection: 'close' } });
      return answered().size >= pids.length;
    }, 'as many workers have answered');
    expect([...answered()].sort()).toEqual([...pids].sort());
  }

  describe('from their start to their end', () => {
    let url: string;
    let token: string;
    let metricsPort: number;
    const page = () => MetricsPage.fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    const serving = () => workers().filter(isAlive);

    beforeAll(async () => {
      metricsPort = await freePort();
      start({ DATABASE_URL: '', JWT_SECRET: '', DRAIN_MS: '1000', METRICS_PORT: String(metricsPort) });
      url = await server.ready();
    });

    it('bring up an embedded PostgreSQL and a secret once, and share both', async () => {
      expect(server.output.match(/Parley is ready/g)).toHaveLength(1);
      expect(workers()).toHaveLength(2);
      expect(server.output).not.toContain(readFileSync(join(folder, 'data/jwt-secret'), 'utf8').trim());

      // A token of one is good at the other, and what is said at one is heard at the other.
      token = await register(url, 'ada-lovelace');
      const room = await makeRoom(url, token);
      const clients = await Promise.all(Array.from({ length: 4 }, () => open(url, token)));
      for (const client of clients) await client.command('room.subscribe', { room });
      const { seq } = (await clients[0]!.command('message.send', { room, clientId: 'c1', text: 'hi' })) as { seq: number };
      for (const client of clients) await client.seen((frame) => frame.event === 'message.created' && frame.seq === seq);
      await allAnswer(url, workers());
    });

    it('have one page of metrics, and one that is killed is replaced, while the others serve, by one that goes on with its series', async () => {
      let before: Record<string, number> = {};
      await until(async () => {
        await Promise.all(Array.from({ length: 2 }, () => open(url, token)));
        before = (await page()).by('worker', 'parley_connections_opened_total');
        return before['0']! > 0 && before['1']! > 0;
      }, 'each has some');
      expect(before['0']! + before['1']!).toBe(opened);
      expect((await page()).by('worker', 'parley_readiness')).toEqual({ 0: 2, 1: 2 });
      const [victim, other] = workers() as [number, number];

      // One that is late does not make the other late, nor is it hidden by it.
      process.kill(victim, 'SIGSTOP');
      await new Promise((done) => setTimeout(done, 1_500));
      process.kill(victim, 'SIGCONT');
      const lag = (await page()).by('worker', 'nodejs_eventloop_lag_max_seconds');
      expect(lag['0']).toBeGreaterThan(1);
      expect(lag['1']).toBeLessThan(lag['0']!);

      process.kill(victim, 'SIGSTOP');
      const without = await page();
      expect(without.by('worker', 'parley_process_up')).toEqual({ 0: 0, 1: 1 });
      expect(without.by('worker', 'parley_connections_opened_total')).toEqual({ 1: before['1'] });

      // Who is asked and ends is not waited for.
      const meanwhile = page();
      await fetch(`http://127.0.0.1:${metricsPort}/nothing`);
      process.kill(victim, 'SIGKILL');
      expect((await meanwhile).by('worker', 'parley_process_up')).toEqual({ 0: 0, 1: 1 });
      expect(server.output.match(/did not answer a scrape/g)).toHaveLength(1);
      await until(() => server.output.includes(`Worker ${victim} ended by SIGKILL`), 'the loss is logged');
      await allAnswer(url, [other]);
      await until(
        async () => {
          const isReplaced = workers().length === 3;
          const counts = (await page()).by('worker', 'parley_connections_opened_total');
          expect(counts['1']).toBe(before['1']);
          expect([undefined, 0]).toContain(counts['0']);
          return isReplaced;
        },
        'another one serves',
        20_000,
      );
      const after = await page();
      expect(after.by('worker', 'parley_process_up')).toEqual({ 0: 1, 1: 1 });
      expect(after.by('worker', 'parley_connections_opened_total')).toEqual({ 0: 0, 1: before['1'] });
      const started = after.by('worker', 'process_start_time_seconds');
      expect(started['0']).toBeGreaterThan(started['1']!);
      await allAnswer(url, [other, workers()[2]!]);
    });

    it('wait for what the primary says, when all get the signal of one Ctrl-C; then each lets its clients go, and all ends in good order', async () => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => open(url, token)));
      const drains = () => clients.map(({ frames }) => frames.filter(({ event }) => event === 'drain').length);
      const pids = serving();
      expect(pids).toHaveLength(2);
      for (const pid of pids) process.kill(pid, 'SIGINT');
      for (const client of clients) await client.command('ping');
      expect(drains()).toEqual([0, 0, 0, 0]);

      const from = Date.now();
      const stopped = server.stop('SIGINT');
      const last = clients.at(-1)!;
      await last.seen(({ event }) => event === 'drain');
      await last.command('ping'); // served until its time has come
      for (const pid of pids) process.kill(pid, 'SIGINT');
      for (const client of clients) expect((await client.closed).code).toBe(4001);
      expect(await stopped).toEqual({ code: 0, signal: null });
      expect(Date.now() - from).toBeLessThan(1_000 + 5_000);
      expect(drains()).toEqual([1, 1, 1, 1]);
      expect(workers().filter(isAlive)).toEqual([]);
    });

    it('end when the primary is killed, and its PostgreSQL with them', async () => {
      start({ DATABASE_URL: '' });
      url = await server.ready();
      await open(url, await register(url, 'grace-hopper'));
      const postmaster = Number(readFileSync(join(folder, 'data/postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);
      expect(isAlive(postmaster)).toBe(true);
      await server.stop('SIGKILL');
      await until(() => serving().length === 0, 'the workers are gone');
      await until(() => !isAlive(postmaster), 'PostgreSQL is gone');
    });
  });

  describe('each server by itself', () => {
    afterEach(kill);

    it('do not keep the server from ending when one hangs, and are killed at once at a second signal', async () => {
      const patient = start();
      await patient.ready();
      process.kill(workers()[0]!, 'SIGSTOP');
      // Meanwhile the other one starts and ends.
      const stopped = patient.stop();
      const hurried = start({ DRAIN_MS: '60000' });
      try {
        const url = await hurried.ready();
        await open(url, await register(url, 'ada-lovelace'));
        process.kill(workers()[0]!, 'SIGSTOP');
        hurried.child.kill('SIGTERM');
        // Two signals within half a second count as one, and a busy server may have seen the first one late.
        const again = setInterval(() => hurried.child.kill('SIGTERM'), 700);
        expect(await hurried.exited.finally(() => clearInterval(again))).toEqual({ code: 1, signal: null });
        await until(() => !workers(hurried).some(isAlive), 'the workers are gone');
      } finally {
        expect(await stopped).toEqual({ code: 1, signal: null });
      }
      expect(patient.output).toContain('workers ended by SIGKILL');
      await until(() => !workers(patient).some(isAlive), 'the workers are gone');
    });

    it('refuse a port in use in one line', async () => {
      const other = createServer().listen(0, '0.0.0.0');
      await once(other, 'listening');
      try {
        const { port } = other.address() as AddressInfo;
        start({ PORT: String(port) });
        expect(await server.exited).toEqual({ code: 1, signal: null });
        expect(server.output).toBe(`Parley cannot start: port ${port} is in use. Set PORT to another one.\n`);

        start({ METRICS_PORT: String(port), LOG_LEVEL: 'warn' });
        expect(await server.exited).toEqual({ code: 1, signal: null });
        expect(server.output).toBe(`Parley cannot start: port ${port} is in use. Set METRICS_PORT to another one.\n`);
      } finally {
        other.close();
      }
    });

    it('are refused with metrics on the port that they share', async () => {
      start({ METRICS: 'true' });
      expect(await server.exited).toEqual({ code: 1, signal: null });
      expect(server.output).toContain('  METRICS: with WEB_CONCURRENCY over 1 it needs METRICS_PORT');
    });

    it('are refused without Redis', async () => {
      start({ REDIS_URL: '' });
      expect(await server.exited).toEqual({ code: 1, signal: null });
      expect(server.output).toContain('  WEB_CONCURRENCY: more than 1 needs REDIS_URL');
    });
  });
});

async function freePort(): Promise<number> {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  await new Promise((closed) => holder.close(closed));
  return port;
}

function isAlive(pid: number): boolean {
  try {
    // A process that only waits to be buried is no more.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
