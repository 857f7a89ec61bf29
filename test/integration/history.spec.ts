import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MESSAGE_PAGE } from '../../src/messaging/history-statements.js';
import type { Message } from '../../src/protocol/index.js';
import { type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;

beforeAll(async () => {
  server = await startMessagingApp();
});

afterAll(() => server.close());

const get = (user: string, room: string, query = '') => server.call(user, 'get', room, `/messages${query}`);
const seqs = async (room: string, query = '') =>
  ((await get('ada', room, query).expect(200)).body.messages as Message[]).map(({ seq }) => seq);
const without = (body: { requestId: string }) => ({ ...body, requestId: '' });

/** Messages behind the back of the log; `text` and `seq` are SQL over n, from 1. */
async function fill(room: string, count: number, text = `'m' || n`, seq = 'n'): Promise<void> {
  await server.sql.query(
    `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
     SELECT $1, ${seq}, ${seq}, 'ada', 'c' || n, ${text}, '{}', now() FROM generate_series(1, $2::integer) n`,
    [room, count],
  );
  await server.sql.query('UPDATE rooms SET last_seq = (SELECT max(seq) FROM messages WHERE room_id = $1) WHERE id = $1', [room]);
}

describe('GET /v1/rooms/:room/messages', () => {
  it('shows the newest page, ascending, with where the log is', async () => {
    const room = await server.room('private', { ada: 'owner' });
    expect((await get('ada', room).expect(200)).body).toEqual({
      messages: [],
      epoch: 'e1',
      firstSeq: 1,
      headSeq: 0,
      hasBefore: false,
      hasAfter: false,
    });
    const sent: Message[] = [];
    for (const text of ['a', 'b', 'c']) sent.push((await server.post('ada', room, text).expect(201)).body as Message);
    await server.call('ada', 'delete', room, '/messages/2').expect(200);
    const { body } = await get('ada', room).expect(200);
    expect(body).toMatchObject({ epoch: 'e1', firstSeq: 1, headSeq: 4, hasBefore: false, hasAfter: false });
    expect(body.messages).toEqual([sent[0], { ...sent[1], text: '', lastSeq: 4, deletedAt: expect.any(String) }, sent[2]]);
  });

  it('pages 50 messages unless asked otherwise, over the gaps that other events leave', async () => {
    const room = await server.room('private', { ada: 'owner' });
    await fill(room, 300, `'m' || n`, 'n * 2');
    expect(await seqs(room)).toEqual(Array.from({ length: 50 }, (_, index) => 502 + 2 * index));
    expect(await seqs(room, '?limit=200')).toHaveLength(200);
    expect(await seqs(room, '?before=11&limit=3')).toEqual([6, 8, 10]);
    expect(await seqs(room, '?before=10&limit=3')).toEqual([4, 6, 8]);
    expect(await seqs(room, '?after=10&limit=3')).toEqual([12, 14, 16]);
    expect(await seqs(room, '?after=0&limit=1')).toEqual([2]);
    expect(await seqs(room, '?around=10&limit=4')).toEqual([6, 8, 10, 12]);
    expect(await seqs(room, '?around=11&limit=3')).toEqual([10, 12, 14]);
    expect(await seqs(room, '?around=10&limit=1')).toEqual([10]);
    expect(await seqs(room, '?around=1&limit=3')).toEqual([2, 4, 6]);
    expect(await seqs(room, `?around=${Number.MAX_SAFE_INTEGER}&limit=3`)).toEqual([596, 598, 600]);
    expect(await seqs(room, `?after=${Number.MAX_SAFE_INTEGER}`)).toEqual([]);
    expect(await seqs(room, '?before=1')).toEqual([]);
  });

  it('ends early at 256 KiB, with what is nearest, and always with one', async () => {
    const room = await server.room('private', { ada: 'owner' });
    await fill(room, 40, `repeat(E'\\x01', 8000)`);
    const pages = { '': [36, 40], '?before=20': [15, 19], '?after=20': [21, 25], '?around=20': [18, 22] };
    for (const [query, [first, last]] of Object.entries(pages)) {
      const { body, text } = await get('ada', room, query).expect(200);
      expect(text.length).toBeLessThanOrEqual(262_144);
      expect(body.messages.map(({ seq }: Message) => seq)).toEqual(Array.from({ length: 5 }, (_, index) => first! + index));
      expect(body).toMatchObject({ hasBefore: true, hasAfter: last !== 40 });
    }
    const wide = await server.room('private', { ada: 'owner' });
    await fill(wide, 200, `repeat('€', 8000)`);
    const { body, text } = await get('ada', wide, '?limit=200').expect(200);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(262_144);
    expect(body.messages).toHaveLength(10);
  });

  it('costs the same wherever in the history the page is', async () => {
    const room = await server.room('private', { ada: 'owner' });
    await fill(room, 30_000);
    await server.sql.query('ANALYZE messages');
    const runner = server.sql.createQueryRunner();
    await runner.query('SET plan_cache_mode = force_generic_plan');
    await runner.query(`PREPARE page AS ${MESSAGE_PAGE.text}`);
    const plans = [];
    for (const [point, older, newer] of [
      [31_000, 51, 1],
      [15_000, 51, 1],
      [15_000, 1, 51],
      [15_000, 51, 51],
      [60, 51, 1],
    ] as const) {
      const explain = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page('${room}', 'ada', ${point}, ${older}, ${newer}, 261632, 50, ${older > 1}, ${newer > 1})`;
      const [{ 'QUERY PLAN': plan }] = (await runner.query(explain)) as [{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }];
      plans.push(plan[0].Plan);
    }
    await runner.query('RESET plan_cache_mode');
    await runner.release();
    for (const plan of plans) expect(plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!).toBeLessThan(60);
  });

  it('is for members, and for everybody who is not banned where the room is public', async () => {
    const hidden = await server.room('private', { ada: 'owner' });
    const direct = await server.room('direct', { ada: 'member', bob: 'member' });
    const open = await server.room('public', { ada: 'owner' });
    for (const room of [hidden, direct, open]) await server.post('ada', room, 'one').expect(201);
    const missing = without((await get('eve', randomUUID()).expect(404)).body);
    for (const [room, path] of [hidden, direct].flatMap((id) => ['', '/1', '/7'].map((end) => [id, end] as const))) {
      expect(without((await get('eve', room, path).expect(404)).body)).toEqual(missing);
    }
    expect((await get('eve', open).expect(200)).body.messages).toHaveLength(1);
    expect((await get('eve', open, '/1').expect(200)).body.text).toBe('one');
    await server.sql.query(`INSERT INTO room_bans (room_id, user_id, by_user) VALUES ($1, 'eve', 'ada')`, [open]);
    expect((await get('eve', open).expect(403)).body.code).toBe('forbidden');
    expect((await get('eve', open, '/1').expect(403)).body.code).toBe('forbidden');
    await server.sql.query('UPDATE rooms SET archived_at = now() WHERE id = $1', [hidden]);
    expect((await get('ada', hidden).expect(200)).body.messages).toHaveLength(1);
    await server.sql.query('UPDATE rooms SET deleted_at = now() WHERE id = $1', [hidden]);
    expect(without((await get('ada', hidden).expect(404)).body)).toEqual(missing);
  });

  it('gives one message, and none of another room', async () => {
    const [room, other] = [await server.room('private', { ada: 'owner' }), await server.room('private', { ada: 'owner' })];
    const sent = (await server.post('ada', room, 'one').expect(201)).body as Message;
    await fill(other, 3);
    expect((await get('ada', room, '/1').expect(200)).body).toEqual(sent);
    for (const seq of [2, 3, Number.MAX_SAFE_INTEGER]) {
      expect((await get('ada', room, `/${seq}`).expect(404)).body).toMatchObject({ message: 'There is no such message.' });
    }
    expect(await seqs(room, '?after=0')).toEqual([1]);
  });

  it.each([
    'before=0',
    'before=',
    'before=-1',
    'before=1e3',
    'before=0x10',
    'before=1.5',
    'before=9007199254740992',
    'before=NaN',
    'before=1&before=2',
    'before[$lt]=5',
    'around=0',
    'after=-1',
    `after=${encodeURIComponent('0 OR 1=1; DROP TABLE messages;--')}`,
    'after=%00',
    'limit=0',
    'limit=201',
    'limit=abc',
    'before=5&after=1',
    'before=5&around=1',
    'after=5&around=1',
    'cursor=abc',
    'sender=ada',
  ])('refuses ?%s', async (query) => {
    const room = await server.room('private', { ada: 'owner' });
    const { body } = await get('ada', room, `?${query}`).expect(400);
    expect(body).toMatchObject({ code: 'validation_failed', details: expect.any(Array) });
  });
});
