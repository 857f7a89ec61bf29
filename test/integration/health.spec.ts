import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { Lifecycle } from '../../src/config/lifecycle.js';
import { startTestApp, type TestApp } from '../support/test-app.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

/** What the log is told of readiness from here on: the level, the answer, and what is known of it. */
function readinessLines(): [string, string, unknown][] {
  const lines: [string, string, unknown][] = [];
  for (const level of ['warn', 'log'] as const) {
    jest.spyOn(Logger.prototype, level).mockImplementation((about: unknown, message?: unknown) => {
      if (typeof message === 'string' && message.startsWith('Readiness: ')) lines.push([level, message, about]);
    });
  }
  return lines;
}

afterEach(() => void jest.restoreAllMocks());

describe('health', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp();
  });
  afterAll(() => server.close());

  it('is alive and ready, without a token', async () => {
    const live = await fetch(`${server.url}/health/live`);
    expect([live.status, await live.json()]).toEqual([200, { status: 'up' }]);
    const ready = await fetch(`${server.url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', dependencies: { database: { status: 'up' } } }]);
  });

  it('answers an unknown route and a body that is no JSON with an id', async () => {
    const unknown = await fetch(`${server.url}/nowhere`, { headers: { 'x-request-id': 'mine-1' } });
    expect(unknown.status).toBe(404);
    expect(unknown.headers.get('x-request-id')).toBe('mine-1');
    expect(await unknown.json()).toMatchObject({ code: 'not_found', requestId: 'mine-1' });
    const garbage = await fetch(`${server.url}/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"username":',
    });
    expect(garbage.status).toBe(400);
    expect(await garbage.json()).toMatchObject({ code: 'validation_failed', requestId: garbage.headers.get('x-request-id') });
  });

  it('refuses 1,000 headers and lives', async () => {
    const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x-${i}`, '1']));
    const response = await fetch(`${server.url}/health/live`, { headers });
    expect(response.status).toBe(400);
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
  });

  it('documents itself', async () => {
    expect((await fetch(`${server.url}/docs`)).status).toBe(200);
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/health/ready');
  });

  it('lives through the loss of its connections, and says that the database is away', async () => {
    const url = new URL(server.databaseUrl);
    const name = url.pathname.slice(1);
    url.pathname = '/postgres';
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    const lines = readinessLines();
    try {
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      const down = await fetch(`${server.url}/health/ready`);
      expect(down.status).toBe(503);
      expect(await down.json()).toMatchObject({ status: 'down', dependencies: { database: { status: 'down' } } });
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(503);
      const database = { status: 'down', reason: expect.any(String) as unknown };
      expect(lines.splice(0)).toEqual([['warn', 'Readiness: down', { dependencies: { database } }]]);
      expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      while ((await fetch(`${server.url}/health/ready`)).status !== 200); // connections that were lost unnoticed fail once
      expect(lines).toEqual([['log', 'Readiness: ok', { dependencies: { database: { status: 'up' } } }]]);
    } finally {
      await admin.end();
    }
  });
});

describe('health of one of several instances', () => {
  let redis: TestRedis;
  let server: TestApp;
  beforeAll(async () => {
    redis = await TestRedis.start();
    server = await startTestApp({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await server.close();
    await redis.stop();
  });

  async function ready(): Promise<[number, unknown]> {
    const answer = await fetch(`${server.url}/health/ready`);
    return [answer.status, await answer.json()];
  }

  async function becomes(status: string): Promise<[number, unknown]> {
    await until(async () => ((await ready())[1] as { status: string }).status === status, `it is ${status}`, 15_000);
    return ready();
  }

  const up = { status: 'up' };
  const ok = [200, { status: 'ok', dependencies: { database: up, redis: up } }];
  const degraded = [200, { status: 'degraded', dependencies: { database: up, redis: { status: 'down', reason: expect.any(String) } } }];

  it('is ok when what is published comes back', async () => {
    expect(await becomes('ok')).toEqual(ok);
  });

  it('is degraded, and serves, while Redis hangs with its connections open', async () => {
    const lines = readinessLines();
    redis.freeze();
    try {
      expect(await becomes('degraded')).toEqual(degraded);
    } finally {
      redis.thaw();
    }
    expect(await becomes('ok')).toEqual(ok);
    expect(lines.map(([level, message]) => [level, message])).toEqual([
      ['warn', 'Readiness: degraded'],
      ['log', 'Readiness: ok'],
    ]);
  });

  it('is degraded while Redis is not there, and says neither where it is nor where it was sought', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn');
    await redis.down();
    const [status, body] = await becomes('degraded');
    expect([status, body]).toEqual(degraded);
    expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|localhost|\d{4}/);
    for (const whose of ['bus', 'presence']) {
      const isTold = () => warned.mock.calls.some(([line]) => String(line).startsWith(`Redis (${whose}, hearing) is away`));
      await until(isTold, `the log tells that the ${whose} does not hear`);
    }
    await redis.up();
    expect(await becomes('ok')).toEqual(ok);
  });

  it('is down from the moment when it is to stop', async () => {
    const lines = readinessLines();
    server.app.get(Lifecycle, { strict: false }).drain();
    expect(await ready()).toEqual([503, { status: 'down', dependencies: { database: up, redis: up } }]);
    expect(lines).toEqual([['log', 'Readiness: down', { dependencies: { database: up, redis: up }, stopping: true }]]);
  });
});
