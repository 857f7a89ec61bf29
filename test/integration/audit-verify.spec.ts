import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { verifyAuditLog } from '../../src/audit/verify-audit-log.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const entries = Array.from({ length: 1_500 }, (_, index) => ({
    action: 'user.ban',
    outcome: 'ok',
    actorKind: 'user',
    actorId: `ädmin ${index}`,
    target: { user: `u${index}` },
    details: index % 2 ? { n: index, text: 'a"\n' } : null,
  }));
  await client.query('SELECT append_audit_v1($1::jsonb)', [JSON.stringify(entries)]);
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** The right hash of a row, which anybody can compute. */
const HASH = `sha256(prev_hash || audit_field_v1(seq::text) || audit_field_v1((extract(epoch FROM at) * 1000)::bigint::text) ||
  audit_field_v1(action) || audit_field_v1(outcome) || audit_field_v1(actor_kind) || audit_field_v1(actor_id) ||
  audit_field_v1(target::text) || audit_field_v1(address) || audit_field_v1(request_id) || audit_field_v1(details::text))`;
/** Adds a row behind the last one, at another time. */
const forgeAt = (at: string) => `INSERT INTO audit_log (seq, at, action, outcome, actor_kind, actor_id, prev_hash, hash)
  SELECT seq, at, action, outcome, actor_kind, actor_id, prev_hash, ${HASH}
  FROM (SELECT h.seq + 1 AS seq, ${at} AS at, action, outcome, actor_kind, actor_id, NULL::jsonb AS target, NULL AS address,
    NULL AS request_id, NULL::jsonb AS details, h.hash AS prev_hash FROM audit_head h, audit_log l WHERE l.seq = 9) forged`;
const MOVE_HEAD = 'UPDATE audit_head SET (seq, at, hash) = (SELECT seq, at, hash FROM audit_log ORDER BY seq DESC LIMIT 1)';

/** Does what only a superuser can, looks, and puts the rows back. */
async function tampered(...statements: string[]): Promise<string> {
  const { rows: triggers } = await client.query<{ on: string; name: string }>(
    `SELECT tgrelid::regclass::text AS on, tgname AS name FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'audit%' AND NOT tgisinternal`,
  );
  await client.query('CREATE TABLE kept AS TABLE audit_log; CREATE TABLE kept_head AS TABLE audit_head');
  await client.query('ALTER TABLE audit_log DISABLE TRIGGER ALL; ALTER TABLE audit_head DISABLE TRIGGER ALL');
  await client.query('ALTER TABLE audit_log DROP CONSTRAINT audit_log_seq');
  try {
    for (const statement of statements) await client.query(statement);
    return await verifyAuditLog(database.url).then(
      () => 'found nothing',
      (error: Error) => `${error.name}: ${error.message}`,
    );
  } finally {
    await client.query(
      'DELETE FROM audit_log; INSERT INTO audit_log TABLE kept; DELETE FROM audit_head; INSERT INTO audit_head TABLE kept_head',
    );
    await client.query('ALTER TABLE audit_log ADD CONSTRAINT audit_log_seq CHECK (seq > 0)');
    await client.query('DROP TABLE kept, kept_head');
    for (const { on, name } of triggers) await client.query(`ALTER TABLE ${on} ENABLE ALWAYS TRIGGER ${name}`);
  }
}

describe('the check of the audit log', () => {
  it('counts the rows and names the head of a log that is as it was written', async () => {
    const { rows } = await client.query<{ hash: string }>(`SELECT encode(hash, 'hex') AS hash FROM audit_head`);
    expect(await verifyAuditLog(database.url)).toEqual({ seq: 1_500n, hash: rows[0]!.hash });
  });

  it.each([
    ['action', `'user.unban'`],
    ['outcome', `'failed'`],
    ['actor_id', `'somebody'`],
    ['actor_kind', `'key'`],
    ['target', `'{"user":"other"}'`],
    ['address', `'192.0.2.9'`],
    ['request_id', `'r2'`],
    ['details', `'{}'`],
    ['at', `at + interval '1 ms'`],
  ])('finds a changed %s', async (column, value) => {
    expect(await tampered(`UPDATE audit_log SET ${column} = ${value} WHERE seq = 1200`)).toBe('ChainBroken: row 1200 was changed');
  });

  it('finds a changed row whose hash was made anew, by the row behind it', async () => {
    const changed = ["UPDATE audit_log SET actor_id = 'somebody' WHERE seq = 1200", `UPDATE audit_log SET hash = ${HASH} WHERE seq = 1200`];
    expect(await tampered(...changed)).toBe('ChainBroken: row 1201 does not follow the row before it: one of them was changed or moved');
    // Of the last row only the head can tell.
    expect(await tampered(...changed.map((sql) => sql.replace('1200', '1500')))).toContain('row 1500 is not the one of the head');
  });

  it('finds a row that was added with an earlier time than the one before it, whatever its hash', async () => {
    const forged = [forgeAt(`h.at - interval '1 ms'`), MOVE_HEAD];
    expect(await tampered(...forged)).toBe('ChainBroken: row 1501 says that it is older than the row before it');
  });

  it('finds a removed row, at the beginning, in the middle, and at the end', async () => {
    expect(await tampered('DELETE FROM audit_log WHERE seq = 1')).toContain('row 1 is missing');
    expect(await tampered('DELETE FROM audit_log WHERE seq = 1000')).toContain('row 1000 is missing');
    expect(await tampered('DELETE FROM audit_log WHERE seq = 1500')).toContain('row 1499 is the last');
  });

  it('finds rows that changed places, and a removed row whose place was closed', async () => {
    const swap = [
      'UPDATE audit_log SET seq = 0 WHERE seq = 7',
      'UPDATE audit_log SET seq = 7 WHERE seq = 8',
      'UPDATE audit_log SET seq = 8 WHERE seq = 0',
    ];
    expect(await tampered(...swap)).toContain('ChainBroken: row 7');
    expect(await tampered('DELETE FROM audit_log WHERE seq = 7', 'UPDATE audit_log SET seq = seq - 1 WHERE seq = 8')).toContain(
      'ChainBroken: row 7',
    );
  });

  it('finds a row that was put before the first, and one behind the last', async () => {
    const forged = (seq: number) =>
      `INSERT INTO audit_log SELECT (jsonb_populate_record(l, '{"seq": ${seq}}')).* FROM audit_log l WHERE seq = 9`;
    expect(await tampered(forged(-7))).toBe('ChainBroken: row -7 was never written by the server');
    expect(await tampered(forged(1_501))).toContain('ChainBroken: row 1501');
  });

  it('finds a cut tail by a head that was kept elsewhere, and a log that was made anew', async () => {
    const { rows } = await client.query<{ hash: string }>(`SELECT encode(hash, 'hex') AS hash FROM audit_log WHERE seq = 1400`);
    const { hash } = rows[0]!;
    await expect(verifyAuditLog(database.url, { seq: 1_400n, hash })).resolves.toMatchObject({ seq: 1_500n });
    await expect(verifyAuditLog(database.url, { seq: 1_501n, hash })).rejects.toThrow('its end was cut off');
    await expect(verifyAuditLog(database.url, { seq: 1_399n, hash })).rejects.toThrow('row 1399 is not the one');
  });
});

it('even a superuser can neither put a row before the first, nor remove the head or set it back', async () => {
  for (const [sql, message] of [
    [`INSERT INTO audit_log SELECT (jsonb_populate_record(l, '{"seq": 0}')).* FROM audit_log l WHERE seq = 9`, 'row 0 does not follow'],
    ['DELETE FROM audit_head', 'append-only'],
    ['TRUNCATE audit_head', 'append-only'],
    ['UPDATE audit_head SET seq = seq - 1', 'append-only'],
    [`UPDATE audit_head SET hash = '\\x00'`, 'append-only'],
  ])
    await expect(client.query(sql!)).rejects.toThrow(message);
});

describe('even a superuser', () => {
  it.each([
    ['a row into the past', forgeAt(`h.at - interval '1 ms'`), MOVE_HEAD],
    ['a row into the future', forgeAt(`h.at + interval '1 hour'`), MOVE_HEAD],
    ['a row behind another', forgeAt('h.at').replace('h.hash AS', `'\\x00'::bytea AS`), MOVE_HEAD],
    ['a row away from the others', forgeAt('h.at').replace('h.seq + 1', 'h.seq + 2'), MOVE_HEAD],
    ['a row beyond the head', forgeAt('h.at'), ''],
    ['the head beyond the rows', 'UPDATE audit_head SET seq = 9223372036854775807', ''],
    ['the head beside the last row', forgeAt('h.at'), `UPDATE audit_head SET seq = seq + 1, hash = '\\x00'`],
  ])('cannot put %s, and the log goes on', async (_what, forge, move) => {
    const refusal = await client.query(`BEGIN; ${forge}; ${move}; COMMIT`).catch((error: Error) => error);
    await client.query('ROLLBACK');
    expect(refusal).toMatchObject({ code: '42501', message: expect.stringContaining('append-only') });
    await client.query(`SELECT append_audit_v1('[{"action":"a.b","outcome":"ok","actorKind":"server"}]')`);
    await verifyAuditLog(database.url);
  });
});

describe('a role that is not the owner', () => {
  it('adds through the function, and can neither change, remove nor empty', async () => {
    const role = `audit_writer_${process.pid}`;
    await client.query(`CREATE ROLE ${role}; GRANT SELECT ON audit_log TO ${role}`);
    try {
      await client.query(`SET ROLE ${role}`);
      await client.query(`SELECT append_audit_v1('[{"action":"a.b","outcome":"ok","actorKind":"server"}]')`);
      for (const sql of [
        'UPDATE audit_log SET actor_id = NULL',
        'DELETE FROM audit_log',
        'TRUNCATE audit_log',
        'UPDATE audit_head SET seq = 0',
      ])
        await expect(client.query(sql)).rejects.toThrow('permission denied');
    } finally {
      await client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});
