import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { get as request, type IncomingMessage, type ServerResponse } from 'node:http';
import pg from 'pg';
import { AuditLog } from '../../src/audit/audit-log.js';
import { AuditQuery, type AuditRecord } from '../../src/audit/audit-query.js';
import { Sql } from '../../src/database/sql.js';
import { ChatServer } from '../support/chat-server.js';
import { until } from '../support/until.js';

const HOSTILE = 'a"\r\n{"seq":1}\u2028';
let server: ChatServer;
const admin = () => ({ authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}` });
const get = (path: string) => server.http(null, 'GET', `/v1/admin/audit${path}`, undefined, admin());

beforeAll(async () => {
  server = await ChatServer.start();
  const log = server.get(AuditLog);
  for (let index = 0; index < 1_200; index++)
    void log.record({
      action: index % 2 ? 'room.archive' : 'user.ban',
      outcome: 'ok',
      actor: { kind: 'user', id: index % 3 ? 'ada' : HOSTILE },
      target: { user: `u${index % 5}` },
      address: null,
      requestId: null,
    });
  await log.flush();
});

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(() => server.close());

it('pages, newest first, by each filter and by all together', async () => {
  const seen: AuditRecord[] = [];
  let cursor = '';
  do {
    const { body } = await get(`?actor=ada&action=user.ban&target=u2&outcome=ok&from=2020-01-01T00:00:00Z&limit=30${cursor}`);
    seen.push(...(body.items as AuditRecord[]));
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor as string}`;
  } while (cursor !== '');
  const expected = Array.from({ length: 1_200 }, (_, index) => index).filter((index) => index % 3 && index % 2 === 0 && index % 5 === 2);
  expect(seen.map(({ seq }) => seq - 1).reverse()).toEqual(expected);
  expect((await get('?to=2020-01-01T00:00:00Z')).body.items).toEqual([]);
  expect((await get('?from=yesterday')).status).toBe(400);
});

it('line 37: exports one line an entry, whatever is in it', async () => {
  const { headers, text } = await get(`/export?actor=${encodeURIComponent(HOSTILE)}`);
  expect(headers.get('content-type')).toContain('application/x-ndjson');
  const lines = text.trimEnd().split(/\r\n|\r|\n/);
  expect(lines).toHaveLength(400);
  expect(lines.map((line) => (JSON.parse(line) as AuditRecord).actor.id)).toEqual(Array.from({ length: 400 }, () => HOSTILE));
});

it('exports pages on pages, in order, without a hole', async () => {
  const { text } = await get('/export');
  const seqs = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as AuditRecord).seq);
  expect(seqs.length).toBeGreaterThan(1_200);
  expect(seqs).toEqual(seqs.map((_, index) => index + 1));
});

it('reads no more for an export whose client has left in the middle', async () => {
  let [pages, isOver] = [0, false];
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const sql = server.get(Sql);
  const query = sql.query.bind(sql);
  jest.spyOn(sql, 'query').mockImplementation(async (statement, values) => {
    if (statement.name === 'audit_oldest' && ++pages === 2) await gate;
    return query(statement, values);
  });
  const audit = server.get(AuditQuery);
  const all = audit.all.bind(audit);
  jest.spyOn(audit, 'all').mockImplementation(async function* (filter) {
    try {
      yield* all(filter);
    } finally {
      isOver = true;
    }
  });
  const closed = new Promise<void>((resolve) =>
    server.test.app.getHttpServer().once('request', (_: unknown, response: ServerResponse) => response.once('close', () => resolve())),
  );
  const sent = request(`${server.test.url}/v1/admin/audit/export`, { headers: admin() });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  await once(answer, 'readable');
  await until(() => pages === 2, 'the second page is being read');
  sent.destroy();
  await closed;
  expect(isOver).toBe(false);
  letGo();
  await until(() => isOver, 'the export is over');
  expect(pages).toBe(2);
});

it('shows no line of an export that cannot be written into the log first', async () => {
  const client = new pg.Client({ connectionString: server.test.databaseUrl });
  await client.connect();
  await client.query('ALTER FUNCTION append_audit_v1 RENAME TO append_audit_away');
  try {
    const { status, text } = await get('/export');
    expect([status, text.includes('user.ban')]).toEqual([500, false]);
  } finally {
    await client.query('ALTER FUNCTION append_audit_away RENAME TO append_audit_v1');
    await client.end();
  }
});
