import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { COUNT_MESSAGES, GROWN_ROOMS } from '../../src/admin/statistics-statements.js';
import { OPEN_USERS } from '../../src/auth/user-statements.js';
import type { Statement } from '../../src/database/sql.js';
import { APPEND_JOINS, APPEND_MESSAGES } from '../../src/log/append-statements.js';
import { FOLLOW, READ_AFTER } from '../../src/log/replay-statements.js';
import { MESSAGE_PAGE } from '../../src/messaging/history-statements.js';
import { SEARCH_MESSAGES } from '../../src/moderation/message-statements.js';
import { FIND_OPEN_REPORT, INSERT_REPORT, WAIT_FOR_REPORT } from '../../src/moderation/report-statements.js';
import { SET_READ_MARKS } from '../../src/messaging/read-mark-statements.js';
import { LIST_MY_ROOMS } from '../../src/rooms/room-statements.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Pages of 8 KiB; a statement that goes through one of the tables below reads more than a thousand. */
const MAX_PAGES = 300;

/**
 * PostgreSQL plans a prepared statement for good after a few runs. A server that is started on an empty database makes its plans then, and
 * they must still be right when the tables are large: every look-up by its key.
 */
describe('a plan that was made while the tables were empty reads few pages of large ones', () => {
  const room = randomUUID();
  const quiet = randomUUID();
  const statements: [Statement, unknown[]][] = [
    [READ_AFTER, [[room, quiet], [30_000, 0], 50, 65_536]],
    [FOLLOW, [[room, quiet], ['u1', 'u2'], ['e', 'e'], [39_990, 0], 500, 262_144, 30_000, 16_777_216]],
    [MESSAGE_PAGE, [room, 'u1', 20_000, 51, 51, 261_632, 50, true, true]],
    [SET_READ_MARKS, [[room, quiet], ['u1', 'u2'], [39_000, 1], 100]],
    [LIST_MY_ROOMS, ['u1', null, 50, 100]],
    [
      OPEN_USERS,
      [
        ['u1', 'u9', 'new'],
        ['A', null, null],
        [true, false, false],
      ],
    ],
    [
      APPEND_MESSAGES,
      [
        [room, room],
        ['u1', 'u2'],
        ['c-1', 'new'],
        ['a', 'b'],
        ['{}', '{}'],
        [false, true],
        ['owner', 'member'],
      ],
    ],
    [GROWN_ROOMS, ['1', 1_000]],
    [COUNT_MESSAGES, [[quiet, room], 100]],
    [APPEND_JOINS, [[quiet], ['u1'], 200, 100_000, 1_000]],
    [SEARCH_MESSAGES, [null, room, '2026-01-01T00:10:00Z', '2026-01-01T00:11:00Z', false, null, null, 500, '%x%', 51, 50]],
    [INSERT_REPORT, [randomUUID(), 'u1', 'u2', room, 1, 'spam', null, 'hi']],
    [WAIT_FOR_REPORT, ['r1', 30]],
    [FIND_OPEN_REPORT, ['u1', 'u2', room, 1]],
  ];
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    // What the first runs decide by may be in favour of planning each time: the worst case is a plan that is kept.
    await client.query('SET plan_cache_mode = force_generic_plan');
    for (const [{ name, text }, values] of statements) {
      await client.query(`PREPARE ${name} AS ${text}`);
      await client.query('BEGIN');
      await execute(name, values);
      await client.query('ROLLBACK');
    }
    await fill();
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  const execute = (name: string, values: unknown[], prefix = '') =>
    client.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(`${prefix} EXECUTE ${name}(${values.map(literal).join(', ')})`);

  async function fill(): Promise<void> {
    const fills = [
      `INSERT INTO rooms (id, type, epoch, created_by, last_seq) VALUES ('${room}', 'public', 'e', 'u1', 40000), ('${quiet}', 'public', 'e', 'u1', 1)`,
      `INSERT INTO rooms (id, type, epoch, created_by) SELECT gen_random_uuid(), 'public', 'e', 'u1' FROM generate_series(1, 40000)`,
      `INSERT INTO memberships (room_id, user_id, role) SELECT '${room}', 'u' || i, 'member' FROM generate_series(1, 40000) i`,
      `INSERT INTO users (id) SELECT 'u' || i FROM generate_series(1, 40000) i`,
      `INSERT INTO room_mutes (room_id, user_id, by_user, until) SELECT '${room}', 'm' || i, 'u1', now() FROM generate_series(1, 20000) i`,
      `INSERT INTO room_bans (room_id, user_id, by_user, until) SELECT '${quiet}', 'm' || i, 'u1', now() FROM generate_series(1, 20000) i`,
      `INSERT INTO reports (id, reporter_id, user_id, room_id, seq, reason)
        SELECT gen_random_uuid(), 'r' || i, 'u' || i, '${room}', i, 'spam' FROM generate_series(1, 20000) i`,
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT '${room}', i * 2 - 1, i * 2 - 1, 'u' || i % 100, 'c-' || i, repeat('x', 200), '{}', timestamptz '2026-01-01Z' + i * interval '1 second'
        FROM generate_series(1, 20000) i`,
      `INSERT INTO room_events (room_id, seq, event, at, user_id, message_seq)
        SELECT '${room}', i * 2, 'message.updated', now(), 'u1', i * 2 - 1 FROM generate_series(1, 20000) i`,
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at) VALUES ('${quiet}', 1, 1, 'u1', 'c', 'hi', '{}', now())`,
      `INSERT INTO statistics_rooms (room_id, counted_seq) SELECT id, 0 FROM rooms`,
      `UPDATE statistics_rooms SET counted_seq = 39900 WHERE room_id = '${room}'`,
      `INSERT INTO changes (kind, payload) VALUES ('heads', '{"${room}": 40000, "${quiet}": 1}')`,
    ];
    for (const text of fills) await client.query(text);
  }

  it.each(statements.map(([{ name }, values]) => [name, values] as const))('%s', async (name, values) => {
    await client.query('BEGIN');
    const { rows } = await execute(name, [...values], 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)');
    await client.query('ROLLBACK');
    const { Plan: plan } = rows[0]!['QUERY PLAN'][0];
    expect(plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!).toBeLessThan(MAX_PAGES);
  });
});

/** Untyped, so that it becomes what the statement's parameter is. */
function literal(value: unknown): string {
  if (value === null) return 'NULL';
  if (!Array.isArray(value)) return pg.escapeLiteral(`${value as string | number}`);
  return pg.escapeLiteral(
    `{${value.map((item: unknown) => (item === null ? 'NULL' : JSON.stringify(`${item as string | number}`))).join(',')}}`,
  );
}
