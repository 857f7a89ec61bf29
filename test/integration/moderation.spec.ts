import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ChatServer } from '../support/chat-server.js';
import { ModerationRequests, name } from '../support/moderation-requests.js';
import { until } from '../support/until.js';

let server: ChatServer;
let requests: ModerationRequests;
beforeAll(async () => {
  server = await ChatServer.start();
  requests = new ModerationRequests(server);
});
afterAll(() => server.close());

const ask: ModerationRequests['ask'] = (...order) => requests.ask(...order);
const send: ModerationRequests['send'] = (...order) => requests.send(...order);

describe('a message that a moderator removes', () => {
  it('is deleted for everybody, kept for moderators, and comes back by a restoration', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    const client = await server.connect(ann);
    await client.command('room.subscribe', { room });
    const seq = await send(bob, room, 'buy now');
    const path = `/admin/messages/${room}/${seq}`;

    const dry = await ask('root', 'POST', `${path}/remove`, 200, { reason: 'Spam', dryRun: true });
    expect(dry).toMatchObject({ message: { text: '', deletedAt: expect.any(String) as unknown }, removals: [] });
    expect(await ask(ann, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: 'buy now', deletedAt: null });

    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await ask('root', 'POST', `${path}/remove`, 200, { reason: 'Spam' })).toMatchObject({
        message: { seq, lastSeq: seq + 1, text: '' },
        removals: [{ text: 'buy now', removed: { by: 'root', reason: 'Spam' }, restored: null }],
      });
    }
    await client.seen(({ event }) => event === 'message.deleted');
    expect(await ask(ann, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: '', lastSeq: seq + 1 });

    const would = await ask('root', 'POST', `${path}/restore`, 200, { reason: 'A mistake', dryRun: true });
    expect(would).toMatchObject({ message: { text: 'buy now', deletedAt: null, version: 2 }, removals: [{ restored: null }] });
    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await ask('root', 'POST', `${path}/restore`, 200, { reason: 'A mistake' })).toMatchObject({
        message: { text: 'buy now', deletedAt: null, version: 2, lastSeq: seq + 2 },
        removals: [{ removed: { reason: 'Spam' }, restored: { by: 'root', reason: 'A mistake' } }],
      });
    }
    const back = await client.seen(({ event }) => event === 'message.updated');
    expect(back).toMatchObject({ seq: seq + 2, data: { seq, lastSeq: seq + 2, text: 'buy now', deletedAt: null, version: 2 } });
    expect(client.events(room).map((event) => event.seq)).toEqual([seq, seq + 1, seq + 2]);

    await ask('root', 'POST', `${path}/remove`, 200, { reason: 'Spam after all' });
    const { removals } = await ask('root', 'GET', path, 200);
    expect(removals).toMatchObject([{ removed: { reason: 'Spam after all' }, restored: null }, { restored: { reason: 'A mistake' } }]);
    const { events, headSeq } = await ask(ann, 'GET', `/rooms/${room}/events`, 200);
    expect((events as { seq: number }[]).map((event) => event.seq)).toEqual(Array.from({ length: headSeq as number }, (_, i) => i + 1));
    await client.close();
  });

  it('was not removed when its sender deleted it: nothing is kept, and nothing comes back', async () => {
    const bob = name();
    const room = await server.room(bob, 'public');
    const seq = await send(bob, room, 'oops');
    await ask(bob, 'DELETE', `/rooms/${room}/messages/${seq}`, 200);
    expect(await ask('root', 'POST', `/admin/messages/${room}/${seq}/remove`, 200, { reason: 'Spam' })).toMatchObject({ removals: [] });
    const { current } = await ask('root', 'POST', `/admin/messages/${room}/${seq}/restore`, 409, { reason: 'No' });
    expect(current).toMatchObject({ seq, text: '' });
  });

  it('may have been deleted by a moderator of the room: it is seen and brought back like one of an administrator', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'public', [bob]);
    const seq = await send(bob, room, 'evidence');
    for (let attempt = 1; attempt <= 2; attempt++) await ask(ann, 'DELETE', `/rooms/${room}/messages/${seq}`, 200);
    const path = `/admin/messages/${room}/${seq}`;
    const reason = 'Deleted by a moderator of the room.';
    expect(await ask('root', 'GET', path, 200)).toMatchObject({
      message: { text: '' },
      removals: [{ text: 'evidence', removed: { by: ann, reason }, restored: null }],
    });
    const found = await ask('root', 'GET', `/admin/messages?room=${room}&includeDeleted=true&text=evid`, 200);
    expect(found.items).toHaveLength(1);
    await ask('root', 'POST', `${path}/restore`, 200, { reason: 'Harmless' });
    expect(await ask(bob, 'GET', `/rooms/${room}/messages/${seq}`, 200)).toMatchObject({ text: 'evidence', version: 2 });
  });

  it('may be in an archived room, and must be there', async () => {
    const bob = name();
    const room = await server.room(bob, 'public');
    const seq = await send(bob, room, 'buy');
    await ask(bob, 'PATCH', `/rooms/${room}`, 200, { archived: true });
    await ask('root', 'POST', `/admin/messages/${room}/${seq}/remove`, 200, { reason: 'Spam' });
    for (const verb of ['remove', 'restore']) {
      await ask('root', 'POST', `/admin/messages/${room}/999/${verb}`, 404, { reason: 'x' });
      await ask('root', 'POST', `/admin/messages/${randomUUID()}/1/${verb}`, 404, { reason: 'x' });
      await ask(bob, 'POST', `/admin/messages/${room}/${seq}/${verb}`, 403, { reason: 'x' });
    }
  });

  it('may be one of many of a sender: in a room or in all, of a time, counted first', async () => {
    const [ann, bob] = [name(), name()];
    const rooms = [await server.room(ann, 'public', [bob]), await server.room(ann, 'private', [bob])];
    for (const room of rooms) for (let i = 0; i < 130; i++) await server.test.app.get(DataSource).query(SEED, [room, bob, i]);
    for (const room of rooms) await server.test.app.get(DataSource).query('UPDATE rooms SET last_seq = 130 WHERE id = $1', [room]);
    await send(ann, rooms[0]!, 'mine');
    const remove = (body: object) => ask('root', 'POST', '/admin/messages/remove', 200, { sender: bob, reason: 'Spam', ...body });
    expect(await remove({ dryRun: true })).toEqual({ messages: 260, rooms: 2, complete: true });
    expect(await remove({ to: '2026-01-01T00:00:00Z' })).toEqual({ messages: 0, rooms: 0, complete: true });
    expect(await remove({ room: rooms[0] })).toEqual({ messages: 130, rooms: 1, complete: true });
    expect(await remove({ dryRun: true })).toEqual({ messages: 130, rooms: 1, complete: true });
    expect(await remove({ room: rooms[0] })).toEqual({ messages: 0, rooms: 0, complete: true });
    expect(await remove({})).toEqual({ messages: 130, rooms: 1, complete: true });
    const many = `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
      SELECT $1, i, i, $2, 'm' || i, 'spam', '{}', now() FROM generate_series(1000, 2000) i`;
    await server.test.app.get(DataSource).query(many, [rooms[1], bob]);
    expect(await remove({ dryRun: true })).toEqual({ messages: 1_001, rooms: 1, complete: false });
    const { messages } = await ask(ann, 'GET', `/rooms/${rooms[0]}/messages?limit=200`, 200);
    expect((messages as { text: string }[]).filter(({ text }) => text !== '').map(({ text }) => text)).toEqual(['mine']);
    expect(await ask('root', 'GET', `/admin/messages/${rooms[1]}/7`, 200)).toMatchObject({ removals: [{ text: 'spam 6' }] });
  });
});

it('what was removed, and what decided reports quote, is forgotten after REMOVED_TEXT_DAYS, and not before', async () => {
  const [ann, bob] = [name(), name()];
  const room = await server.room(ann, 'public', [bob]);
  const seqs = [await send(bob, room, 'old'), await send(bob, room, 'young'), await send(bob, room, 'open')];
  const [old, young, open] = seqs.map((seq) => `/admin/messages/${room}/${seq}`);
  const reports: string[] = [];
  for (const seq of seqs) {
    const { id } = await ask(ann, 'POST', `/rooms/${room}/messages/${seq}/reports`, 201, { reason: 'spam' });
    reports.push(id as string);
  }
  for (const report of reports.slice(0, 2))
    await ask('root', 'POST', `/admin/reports/${report}/resolve`, 200, { decision: 'remove', reason: 'Spam' });
  const database = server.test.app.get(DataSource);
  // More than one statement takes, and an hour before and after its time.
  await database.query(
    `INSERT INTO message_removals (room_id, seq, removed_seq, text, meta, removed_by, remove_reason, removed_at)
      SELECT room_id, seq, 1000 + i, text, meta, removed_by, remove_reason, removed_at FROM message_removals, generate_series(1, 1500) i
      WHERE room_id = $1 AND seq = $2`,
    [room, seqs[0]],
  );
  const age = (seq: number, hours: number) =>
    Promise.all([
      database.query(`UPDATE message_removals SET removed_at = now() - $3 * interval '1 hour' WHERE room_id = $1 AND seq = $2`, [
        room,
        seq,
        hours,
      ]),
      database.query(
        `UPDATE reports SET decided_at = now() - $3 * interval '1 hour' WHERE room_id = $1 AND seq = $2 AND decided_at IS NOT NULL`,
        [room, seq, hours],
      ),
      database.query(`UPDATE reports SET created_at = now() - $3 * interval '1 hour' WHERE room_id = $1 AND seq = $2`, [room, seq, hours]),
    ]);
  await Promise.all([age(seqs[0]!, 30 * 24 + 1), age(seqs[1]!, 30 * 24 - 1), age(seqs[2]!, 9_999)]);
  const texts = async () => {
    const { items } = await ask('root', 'GET', `/admin/reports?room=${room}`, 200);
    const removals = await Promise.all(
      [old!, young!, open!].map(async (path) => (await ask('root', 'GET', path, 200)).removals as { text: string | null }[]),
    );
    return {
      quotes: (items as { text: string }[]).map(({ text }) => text),
      removed: removals.map((all) => new Set(all.map(({ text }) => text))),
    };
  };
  expect(await texts()).toEqual({ quotes: ['old', 'young', 'open'], removed: [new Set(['old']), new Set(['young']), new Set()] });
  const intervals = jest.spyOn(globalThis, 'setInterval');
  const other = await ChatServer.start({ DATABASE_URL: server.test.databaseUrl, REMOVED_TEXT_DAYS: '30' });
  const hourly = intervals.mock.calls.filter(([, ms]) => ms === 3_600_000);
  intervals.mockRestore();
  await until(async () => (await texts()).quotes[0] === null, 'what is old is forgotten');
  expect(await texts()).toEqual({ quotes: [null, 'young', 'open'], removed: [new Set([null]), new Set(['young']), new Set()] });
  // Who removed it, why and when, is kept.
  const { removals } = await ask('root', 'GET', old!, 200);
  expect(removals).toHaveLength(1_501);
  const removed = { by: 'root', reason: 'Spam', at: expect.any(String) as unknown };
  expect((removals as object[])[0]).toEqual({ text: null, meta: {}, removed, restored: null });
  expect((await ask('root', 'GET', `/admin/messages?room=${room}&includeDeleted=true&text=old`, 200)).items).toEqual([]);
  expect(await ask('root', 'POST', `${old!}/restore`, 409, { reason: 'No' })).toMatchObject({
    code: 'conflict',
    message: 'What the message said is no longer kept: the removal is older than REMOVED_TEXT_DAYS.',
  });
  expect(await ask('root', 'POST', `${young!}/restore`, 200, { reason: 'Harmless' })).toMatchObject({ message: { text: 'young' } });
  await age(seqs[1]!, 30 * 24 + 1);
  for (const [anHourIsOver] of hourly) anHourIsOver();
  await until(async () => (await texts()).quotes[1] === null, 'what is old an hour later is forgotten too');
  await other.close();
});

const SEED = `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
  VALUES ($1, $3::integer + 1, $3::integer + 1, $2, 'c' || $3::integer, 'spam ' || $3::integer, '{}', '2026-06-01')`;

describe('finding messages', () => {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  const find = async (query: string): Promise<any[]> => (await ask('root', 'GET', `/admin/messages?${query}`, 200)).items as any[];
  const texts = async (query: string) => (await find(query)).map(({ message }: { message: { text: string } }) => message.text);

  it('by room, sender, text and time, deleted ones when asked for, by pages', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    const other = await server.room(ann, 'public', [bob]);
    for (const text of ['one 100%', 'two', 'Three']) await send(bob, room, text);
    const fourth = await send(ann, room, 'four');
    await send(bob, other, 'elsewhere');
    expect(await texts(`room=${room}`)).toEqual(['four', 'Three', 'two', 'one 100%']);
    expect((await texts(`sender=${bob}`)).sort()).toEqual(['Three', 'elsewhere', 'one 100%', 'two']);
    expect(await texts(`sender=${bob}&room=${other}`)).toEqual(['elsewhere']);
    expect(await texts(`room=${room}&text=thr`)).toEqual(['Three']);
    expect(await texts(`room=${room}&text=${encodeURIComponent('0%')}`)).toEqual(['one 100%']);
    for (const text of ['%', '_']) expect(await texts(`room=${room}&text=${encodeURIComponent(`w${text}`)}`)).toEqual([]);
    expect(await texts(`room=${room}&from=2999-01-01T00:00:00Z`)).toEqual([]);
    expect(await texts(`room=${room}&to=2999-01-01T00:00:00Z&from=2020-01-01T00:00:00Z`)).toHaveLength(4);
    await ask('root', 'POST', `/admin/messages/${room}/${fourth}/remove`, 200, { reason: 'Spam' });
    expect(await texts(`room=${room}&text=four`)).toEqual([]);
    expect(await find(`room=${room}&text=four&includeDeleted=true`)).toMatchObject([{ room, message: { seq: fourth, text: '' } }]);

    for (const query of [`room=${room}&includeDeleted=true`, `sender=${bob}`]) {
      const paged: object[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page = await ask('root', 'GET', `/admin/messages?${query}&limit=1${cursor && `&cursor=${cursor}`}`, 200);
        paged.push(...(page.items as object[]));
        cursor = page.nextCursor as string | null;
      }
      expect(paged).toEqual(await find(query));
    }
    await ask(ann, 'GET', '/admin/messages', 403);
  });

  it('of a time, wherever in the room that is', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    // Not each seq is a message's, and some are of one time.
    await server.test.app.get(DataSource).query(
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT $1, i, i, $2, 'c' || i, i::text, '{}', timestamptz '2026-01-01Z' + i / 3 * interval '1 minute' FROM generate_series(1, 200) i WHERE i % 7 <> 0`,
      [room, bob],
    );
    await server.test.app.get(DataSource).query('UPDATE rooms SET last_seq = 200 WHERE id = $1', [room]);
    const seqs = Array.from({ length: 200 }, (_, i) => i + 1).filter((seq) => seq % 7 !== 0);
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
    for (let from = -1; from <= 68; from += 3) {
      for (const to of [from - 1, from, from + 1, from + 2, 60, 99]) {
        const within = seqs.filter((seq) => Math.floor(seq / 3) >= from && Math.floor(seq / 3) < to).reverse();
        expect([from, to, await texts(`room=${room}&from=${at(from)}&to=${at(to)}&limit=200`)]).toEqual([from, to, within.map(String)]);
      }
    }
    expect(await texts(`room=${room}&from=${at(66)}`)).toEqual(['200', '199', '198']);
    expect(await texts(`room=${room}&to=${at(1)}`)).toEqual(['2', '1']);
  });

  it('visits so many rooms a page when it looks for a time, and goes on in the next', async () => {
    const bob = name();
    await server.test.app.get(DataSource).query(
      `INSERT INTO rooms (id, type, epoch, created_by, last_seq)
        SELECT (lpad(to_hex(i), 8, '0') || '-0000-7000-8000-000000000000')::uuid, 'private', 'e', $1, 1 FROM generate_series(1, 700) i`,
      [bob],
    );
    await server.test.app.get(DataSource).query(
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT id, 1, 1, $1, 'c', 'rare ' || $1, '{}', now() FROM rooms WHERE created_by = $1 AND id::text LIKE ANY ('{000001f4-%,000002bc-%}')`,
      [bob],
    );
    for (const query of [`text=${bob}&from=2026-01-01T00:00:00Z`, `text=${bob}&to=2999-01-01T00:00:00Z`]) {
      const first = await ask('root', 'GET', `/admin/messages?${query}`, 200);
      expect(first).toMatchObject({ items: [{ room: '000001f4-0000-7000-8000-000000000000' }], nextCursor: expect.any(String) as unknown });
      const second = await ask('root', 'GET', `/admin/messages?${query}&cursor=${first.nextCursor}`, 200);
      expect(second).toMatchObject({ items: [{ room: '000002bc-0000-7000-8000-000000000000' }] });
    }
    await server.test.app.get(DataSource).query('DELETE FROM rooms WHERE created_by = $1', [bob]);
  });

  it('looks at so many a page, and goes on where it stopped', async () => {
    const [ann, bob] = [name(), name()];
    const room = await server.room(ann, 'private', [bob]);
    await server.test.app.get(DataSource).query(
      `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
        SELECT $1, i, i, $2, 'c' || i, CASE i WHEN 5 THEN 'needle' ELSE 'hay' END, '{}', now() FROM generate_series(1, 10500) i`,
      [room, bob],
    );
    for (const query of [`room=${room}&text=needle`, `sender=${bob}&text=needle`]) {
      const first = await ask('root', 'GET', `/admin/messages?${query}`, 200);
      expect(first).toEqual({ items: [], nextCursor: expect.any(String) as unknown });
      const second = await ask('root', 'GET', `/admin/messages?${query}&cursor=${first.nextCursor}`, 200);
      expect(second).toMatchObject({ items: [{ message: { seq: 5, text: 'needle' } }], nextCursor: null });
    }
  });
});
