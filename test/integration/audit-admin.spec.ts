import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { AuditRecord } from '../../src/audit/audit-query.js';
import { ChatServer } from '../support/chat-server.js';

const HOSTILE = 'a"\r\n{"seq":1}\u2028';
let server: ChatServer;
const get = (path: string) =>
  server.http(null, 'GET', `/v1/admin/audit${path}`, undefined, {
    authorization: `Bearer ${server.test.token('root', { roles: ['admin'] })}`,
  });

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
  await log.onModuleDestroy();
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
