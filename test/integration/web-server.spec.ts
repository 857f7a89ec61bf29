import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import pg from 'pg';
import { CLOSE_MS, WebServer } from '../../src/web-server.js';
import { testConfig } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { timed } from '../support/stopwatch.js';
import { until } from '../support/until.js';

let database: TestDatabase;
let admin: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const isAnyWaiting = async () =>
  (await admin.query(`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)).rowCount === 1;

const isRefused = (port: number) =>
  fetch(`http://127.0.0.1:${port}/health/live`, { headers: { connection: 'close' } }).then(
    () => false,
    () => true,
  );

it('a server that stops answers the request under way, and waits for no more on its connection', async () => {
  const server = new WebServer();
  const port = await server.start(testConfig(database.url, { PORT: '0', HOST: '127.0.0.1' }));
  const agent = new Agent({ keepAlive: true });
  await admin.query('BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE');
  const headers = { 'content-type': 'application/json' };
  const login = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/v1/auth/login', headers });
  login.end(JSON.stringify({ username: 'nobody-here', password: 'of no account' }));
  const answered = once(login, 'response') as Promise<[IncomingMessage]>;
  await until(isAnyWaiting, 'the request waits');
  const stopped = timed(server.stop());
  await until(() => isRefused(port), 'it takes no more connections');
  await admin.query('ROLLBACK');
  const [answer] = await answered;
  expect(answer.statusCode).toBe(401);
  answer.resume();
  expect((await stopped).waitedMs).toBeLessThan(CLOSE_MS / 2);
});
