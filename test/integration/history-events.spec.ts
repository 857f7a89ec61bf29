import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RoomReplay } from '../../src/log/room-replay.js';
import type { Message } from '../../src/protocol/index.js';
import { type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;
let room: string;

beforeAll(async () => {
  server = await startMessagingApp();
  room = await server.room('private', { ada: 'owner', bob: 'member' });
  for (const text of ['one', 'two', 'three']) await server.post('ada', room, text).expect(201);
  await server.call('ada', 'patch', room, '/messages/1').send({ text: 'uno' }).expect(200);
  await server.call('ada', 'delete', room, '/messages/2').expect(200);
});

afterAll(() => server.close());

const get = (user: string, id: string, query = '') => server.call(user, 'get', id, `/events${query}`);

interface Event {
  event: string;
  seq: number;
  data: Message;
}

describe('GET /v1/rooms/:room/events', () => {
  it('gives the whole log, with messages as they stand', async () => {
    const answer = await get('bob', room).expect(200).expect('content-type', 'application/json; charset=utf-8');
    const { events, ...place } = answer.body as { events: Event[] };
    expect(place).toEqual({ epoch: 'e1', firstSeq: 1, headSeq: 5 });
    expect(events.map(({ event, seq, data }) => [seq, event, data.seq, data.lastSeq, data.text])).toEqual([
      [1, 'message.created', 1, 4, 'uno'],
      [2, 'message.created', 2, 5, ''],
      [3, 'message.created', 3, 3, 'three'],
      [4, 'message.updated', 1, 4, 'uno'],
      [5, 'message.deleted', 2, 5, ''],
    ]);
    // What was fanned out last is what is read back.
    const live = server.published.get(room)!.map(({ frame }) => frame);
    expect(events.slice(2)).toEqual(live.slice(2));
  });

  it('pages by the seq of the last event that the caller has', async () => {
    const page = async (query: string) => ((await get('ada', room, query).expect(200)).body.events as Event[]).map(({ seq }) => seq);
    expect(await page('?after=0&limit=2')).toEqual([1, 2]);
    expect(await page('?after=2&limit=2')).toEqual([3, 4]);
    expect(await page('?after=4&limit=500')).toEqual([5]);
    expect(await page('?after=5')).toEqual([]);
    expect(await page(`?after=${Number.MAX_SAFE_INTEGER}`)).toEqual([]);
    const empty = await server.room('public', { ada: 'owner' });
    expect((await get('eve', empty).expect(200)).body).toEqual({ events: [], epoch: 'e1', firstSeq: 1, headSeq: 0 });
  });

  it('ends early at 256 KiB, and always has one', async () => {
    const full = await server.room('private', { ada: 'owner' });
    for (let i = 0; i < 12; i++) await server.post('ada', full, '\u0001'.repeat(8000)).expect(201);
    const { text, body } = await get('ada', full).expect(200);
    expect(text.length).toBeLessThanOrEqual(262_144);
    expect((body.events as Event[]).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect((await get('ada', full, '?after=5').expect(200)).body.events).toHaveLength(5);
  });

  it('says when what is asked for is no longer kept', async () => {
    const old = await server.room('private', { ada: 'owner' });
    for (const text of ['one', 'two', 'three']) await server.post('ada', old, text).expect(201);
    await server.sql.query('UPDATE rooms SET first_seq = 3 WHERE id = $1', [old]);
    await server.sql.query('DELETE FROM messages WHERE room_id = $1 AND seq < 3', [old]);
    expect((await get('ada', old, '?after=1').expect(410)).body.code).toBe('unrecoverable');
    expect((await get('ada', old, '?after=0').expect(410)).body.code).toBe('unrecoverable');
    for (const query of ['?after=2', '']) {
      const { body } = await get('ada', old, query).expect(200);
      expect(body).toMatchObject({ firstSeq: 3, headSeq: 3, events: [{ seq: 3 }] });
    }
    expect((await get('eve', old, '?after=1').expect(404)).body.code).toBe('not_found');
  });

  it('is for members, and for everybody who is not banned where the room is public', async () => {
    const open = await server.room('public', { ada: 'owner' });
    await server.post('ada', open, 'one').expect(201);
    expect((await get('eve', open).expect(200)).body.events).toHaveLength(1);
    await server.sql.query(`INSERT INTO room_bans (room_id, user_id, by_user) VALUES ($1, 'eve', 'ada')`, [open]);
    await get('eve', open).expect(403);
    const hidden = (await get('eve', room).expect(404)).body;
    const missing = (await get('eve', randomUUID()).expect(404)).body;
    expect({ ...hidden, requestId: '' }).toEqual({ ...missing, requestId: '' });
  });

  it('shows nothing to who was kicked while it was read', async () => {
    const busy = await server.room('private', { ada: 'owner', bob: 'member' });
    await server.post('ada', busy, 'one').expect(201);
    const replay = server.app.get(RoomReplay);
    const read = replay.eventsAfter.bind(replay);
    const spy = jest.spyOn(replay, 'eventsAfter').mockImplementationOnce(async (...query) => {
      await server.sql.query(`DELETE FROM memberships WHERE room_id = $1 AND user_id = 'bob'`, [busy]);
      await server.post('ada', busy, 'now that he is gone').expect(201);
      return read(...query);
    });
    await get('bob', busy).expect(404);
    spy.mockRestore();
    expect((await get('ada', busy).expect(200)).body.events).toHaveLength(2);
  });

  it.each([
    'after=-1',
    'after=',
    'after=x',
    'after=9007199254740992',
    'limit=0',
    'limit=501',
    'before=1',
    `after=${encodeURIComponent("1'--")}`,
  ])('refuses ?%s', async (query) => {
    expect((await get('ada', room, `?${query}`).expect(400)).body.code).toBe('validation_failed');
  });
});
