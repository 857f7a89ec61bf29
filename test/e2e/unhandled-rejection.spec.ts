import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { BuiltServer } from '../support/built-server.js';
import { ChatClient } from '../support/chat-client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** What a mistake in a handler would do: a promise that nobody waits for fails. */
const REJECT_ON_SIGNAL = `data:text/javascript,process.on('SIGUSR2',()=>void Promise.reject(new Error('nobody waited for this')))`;

let database: TestDatabase;
let server: BuiltServer;
beforeAll(async () => {
  database = await createTestDatabase();
  const settings = { DATABASE_URL: database.url, JWT_SECRET: 'a-secret-of-the-tests-0123456789-abcdefghij', DRAIN_MS: '0' };
  server = BuiltServer.start({ settings: { ...settings, NODE_OPTIONS: `--import=${REJECT_ON_SIGNAL.replaceAll(' ', '%20')}` } });
});
afterAll(async () => {
  server.child.kill('SIGKILL');
  await server.exited;
  await database.drop();
});

it('line 35: an unhandled rejection is logged, and neither the process nor a socket ends', async () => {
  const url = await server.ready();
  const account = JSON.stringify({ username: 'witness', password: 'correct horse battery staple' });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/auth/register`, { method: 'POST', headers, body: account });
  const { accessToken } = (await response.json()) as { accessToken: string };
  const client = await ChatClient.connect(`${url.replace('http', 'ws')}/ws`, { token: accessToken });
  server.child.kill('SIGUSR2');
  await until(() => server.output.includes('nobody waited for this'), 'the rejection is logged');
  await client.command('ping');
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect(server.child.exitCode).toBeNull();
  await client.close();
});

it('one line tells of a request that fails, with the cause that its caller does not see', async () => {
  const url = await server.ready();
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query('ALTER TABLE accounts RENAME TO accounts_elsewhere');
  await client.end();
  const body = JSON.stringify({ username: 'witness', password: 'correct horse battery staple' });
  const answer = await fetch(`${url}/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { code, message, requestId } = (await answer.json()) as Record<string, string>;
  expect([answer.status, code, message]).toEqual([500, 'internal', expect.not.stringContaining('accounts')]);
  const lines = () => server.output.split('\n').filter((line) => line.includes(requestId!));
  await until(() => lines().length > 0, 'it is logged');
  await fetch(`${url}/health/ready`);
  expect(lines().map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ level: 50, err: expect.objectContaining({ code: '42P01' }) as unknown, res: { status: 500 } }),
  ]);
});
