import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { BusModule } from '../../src/bus/bus.module.js';
import { RoomBus, type RoomNote } from '../../src/bus/room-bus.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { LogModule } from '../../src/log/log.module.js';
import { RoomLog } from '../../src/log/room-log.js';
import { RoomReplay } from '../../src/log/room-replay.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('the room log', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let admin: pg.Client;
  let log: RoomLog;
  let replay: RoomReplay;
  const notes: RoomNote[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    const config = new Config(loadSettings({ DATABASE_POOL: '8' }), { databaseUrl: database.url, jwtSecrets: ['x'.repeat(32)] });
    module = await Test.createTestingModule({
      imports: [ConfigModule.register(config), DatabaseModule, BusModule, LogModule],
    }).compile();
    await module.init();
    log = module.get(RoomLog);
    replay = module.get(RoomReplay);
    module.get(RoomBus).listen({ onNote: (note) => notes.push(note) });
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });

  afterAll(async () => {
    await admin.end();
    await module.close();
    await database.drop();
  });

  async function makeRoom(type = 'public', members: string[] = ['ann', 'bob']): Promise<string> {
    const room = randomUUID();
    await admin.query(`INSERT INTO rooms (id, type, epoch, created_by, member_count) VALUES ($1, $2, 'e1', 'ann', $3)`, [
      room,
      type,
      members.length,
    ]);
    for (const user of members)
      await admin.query(`INSERT INTO memberships (room_id, user_id, role) VALUES ($1, $2, 'member')`, [room, user]);
    return room;
  }

  const draft = (room: string, text: string, clientId: string = randomUUID(), sender = 'ann') => ({
    room,
    sender,
    clientId,
    text,
    meta: {},
  });

  async function seqs(room: string): Promise<number[]> {
    const { rows } = await admin.query<{ seq: string }>('SELECT seq FROM messages WHERE room_id = $1 ORDER BY seq', [room]);
    return rows.map(({ seq }) => Number(seq));
  }

  it('numbers a room from 1 in the order of the calls, and notes what it committed', async () => {
    const room = await makeRoom();
    const appended = await Promise.all(Array.from({ length: 450 }, (_, i) => log.send(draft(room, `m${i}`))));
    expect(appended.map(({ seq }) => seq)).toEqual(Array.from({ length: 450 }, (_, i) => i + 1));
    const noted = notes.filter((note) => note.room === room).flatMap(({ events }) => events.map(({ seq }) => seq));
    expect(noted).toEqual(await seqs(room));
    const page = await replay.eventsAfter(room, 0, 500, 1_000_000);
    expect(page!.events.map(({ json }) => (JSON.parse(json) as { data: { text: string } }).data.text)).toEqual(
      Array.from({ length: 450 }, (_, i) => `m${i}`),
    );
  });

  it('keeps one message of a clientId, within a batch and across batches', async () => {
    const room = await makeRoom();
    const twice = await Promise.all([log.send(draft(room, 'first', 'c1')), log.send(draft(room, 'second', 'c1'))]);
    expect(twice).toMatchObject([
      { seq: 1, duplicate: false },
      { seq: 1, duplicate: true },
    ]);
    expect(await log.send(draft(room, 'third', 'c1'))).toMatchObject({ seq: 1, duplicate: true, createdAt: twice[0].createdAt });
    expect(await log.send(draft(room, 'of bob', 'c1', 'bob'))).toMatchObject({ seq: 2, duplicate: false });
    expect(await seqs(room)).toEqual([1, 2]);
  });

  it('answers a retry of an acked message even when its sender is gone, and tells him nothing else', async () => {
    const room = await makeRoom('private');
    await log.send(draft(room, 'hi', 'c1'));
    await admin.query('DELETE FROM memberships WHERE room_id = $1', [room]);
    expect(await log.send(draft(room, 'hi', 'c1'))).toMatchObject({ seq: 1, duplicate: true });
    await expect(log.send(draft(room, 'more', 'c2'))).rejects.toMatchObject({ code: 'not_found', message: 'There is no such room.' });
    await expect(log.send(draft(randomUUID(), 'more', 'c2'))).rejects.toMatchObject({
      code: 'not_found',
      message: 'There is no such room.',
    });
  });

  it('lets a draft that the database refuses fail alone', async () => {
    const [room, other] = [await makeRoom(), await makeRoom()];
    const results = await Promise.allSettled([
      log.send(draft(room, 'one')),
      log.send(draft(room, 'bad\u0000')),
      log.send(draft(room, 'two')),
      log.send(draft(other, 'three')),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'validation_failed' } });
    expect(await seqs(room)).toEqual([1, 2]);
    expect(await seqs(other)).toEqual([1]);
  });

  it('refuses whom the room refuses, each for himself', async () => {
    const room = await makeRoom();
    await expect(log.send(draft(room, 'hi', 'c9', 'eve'))).rejects.toMatchObject({ code: 'forbidden' });
    await admin.query('UPDATE rooms SET archived_at = now() WHERE id = $1', [room]);
    await expect(log.send(draft(room, 'hi'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await seqs(room)).toEqual([]);
  });

  it('says timeout when the database stalls, and goes on when it is back', async () => {
    const room = await makeRoom();
    await admin.query('BEGIN');
    await admin.query('LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE');
    await expect(log.send(draft(room, 'hi', 'c1'))).rejects.toMatchObject({ code: 'timeout' });
    await admin.query('ROLLBACK');
    expect(await log.send(draft(room, 'hi', 'c1'))).toMatchObject({ seq: 1, duplicate: false });
  });

  it('lets a room that is locked fail alone', async () => {
    const rooms: string[] = [];
    while (rooms.length < 12) rooms.push(await makeRoom());
    await admin.query('BEGIN');
    await admin.query('SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE', [rooms[0]]);
    const results = await Promise.allSettled(rooms.map((room) => log.send(draft(room, 'hi'))));
    await admin.query('ROLLBACK');
    expect(results.map(({ status }) => status)).toEqual(['rejected', ...Array<string>(11).fill('fulfilled')]);
    expect(results[0]).toMatchObject({ reason: { code: 'timeout' } });
  });

  it('leaves the pool to others while many wait for one room', async () => {
    const [room, other] = [await makeRoom(), await makeRoom()];
    await admin.query('BEGIN');
    await admin.query('SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE', [room]);
    const changes = Array.from({ length: 50 }, () =>
      log.transact(room, (tx) =>
        Promise.resolve(tx.record('member.updated', { user: 'bob', data: { user: 'bob', role: 'member', by: 'ann' } })),
      ),
    );
    expect(await log.send(draft(other, 'hi'))).toMatchObject({ seq: 1 });
    await admin.query('ROLLBACK');
    expect(await Promise.all(changes)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  it('joins a public room once, with one event each, and none in a large room', async () => {
    const room = await makeRoom('public', []);
    const joined = await Promise.all(['u1', 'u2', 'u1'].map((user) => log.join(room, user)));
    expect(joined).toEqual([1, 2, 3].map(() => ({ role: 'member' })));
    const page = await replay.eventsAfter(room, 0, 10, 100_000);
    expect(page!.events.map(({ event, user }) => [event, user])).toEqual([
      ['member.joined', 'u1'],
      ['member.joined', 'u2'],
    ]);
    await admin.query('UPDATE rooms SET member_count = 200 WHERE id = $1', [room]);
    await log.join(room, 'u3');
    expect((await replay.eventsAfter(room, 0, 10, 100_000))!.headSeq).toBe(2);
    const { rows } = await admin.query('SELECT member_count FROM rooms WHERE id = $1', [room]);
    expect(rows).toEqual([{ member_count: 201 }]);
    await admin.query('UPDATE rooms SET member_count = 100000 WHERE id = $1', [room]);
    await expect(log.join(room, 'u4')).rejects.toMatchObject({ code: 'conflict' });
    await expect(log.join(await makeRoom('private', []), 'u1')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('writes all of a transaction or nothing, and publishes only what is committed', async () => {
    const room = await makeRoom();
    const before = notes.length;
    const failing = log.transact(room, (tx) => {
      tx.record('member.updated', { user: 'bob', data: { user: 'bob', role: 'moderator', by: 'ann' } });
      return Promise.reject(new Error('no'));
    });
    await expect(failing).rejects.toThrow('no');
    expect(notes.length).toBe(before);
    const seq = await log.transact(room, (tx) =>
      Promise.resolve(tx.record('member.updated', { user: 'bob', data: { user: 'bob', role: 'moderator', by: 'ann' } })),
    );
    expect(seq).toBe(1);
    expect(notes.at(-1)).toMatchObject({ room, headSeq: 1 });
    expect(await log.send(draft(room, 'next'))).toMatchObject({ seq: 2 });
    await expect(log.transact(randomUUID(), () => Promise.resolve())).rejects.toMatchObject({ code: 'not_found' });
  });

  it('numbers without hole or double whatever comes at once', async () => {
    const rooms = await Promise.all(Array.from({ length: 5 }, () => makeRoom()));
    const call = fc.record({ room: fc.nat(4), clientId: fc.nat(30), sender: fc.constantFrom('ann', 'bob'), isAct: fc.boolean() });
    const known = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 60 }), async (calls) => {
        const results = await Promise.all(
          calls.map(async ({ room, clientId, sender, isAct }) => {
            const id = rooms[room]!;
            if (!isAct) return [`${room}/${sender}/${clientId}`, (await log.send(draft(id, 'x', String(clientId), sender))).seq] as const;
            const data = { user: sender, role: 'member' as const, by: sender };
            await log.transact(id, (tx) => Promise.resolve(tx.record('member.updated', { user: sender, data })));
            return null;
          }),
        );
        for (const result of results) {
          if (!result) continue;
          expect(known.get(result[0]) ?? result[1]).toBe(result[1]);
          known.set(...result);
        }
        for (const room of rooms) {
          const page = (await replay.eventsAfter(room, 0, 5_000, 10_000_000))!;
          expect(page.events.map(({ seq }) => seq)).toEqual(Array.from({ length: page.headSeq }, (_, i) => i + 1));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('replays all of what was missed, or nothing', async () => {
    const room = await makeRoom();
    await Promise.all(Array.from({ length: 10 }, (_, i) => log.send(draft(room, `m${i}`))));
    const since = (epoch: string, seq: number) => replay.follow({ room, user: 'ann', since: { epoch, seq } });
    expect((await since('e1', 7))!.events.map(({ seq }) => seq)).toEqual([8, 9, 10]);
    expect(await since('e1', 10)).toMatchObject({ recovered: true, events: [], room: { headSeq: 10 } });
    expect(await since('e1', 11)).toMatchObject({ recovered: false, events: [] });
    expect(await since('other', 7)).toMatchObject({ recovered: false, events: [] });
    expect(await replay.follow({ room, user: 'ann' })).toMatchObject({ recovered: false, events: [], role: 'member' });
    await Promise.all(Array.from({ length: 495 }, (_, i) => log.send(draft(room, `n${i}`))));
    expect((await since('e1', 5))!.events).toHaveLength(500);
    expect(await since('e1', 4)).toMatchObject({ recovered: false, events: [] });
    const big = await makeRoom();
    await Promise.all(Array.from({ length: 40 }, () => log.send(draft(big, 'x'.repeat(8_000)))));
    expect(await replay.follow({ room: big, user: 'ann', since: { epoch: 'e1', seq: 0 } })).toMatchObject({ recovered: false, events: [] });
    const tail = await replay.follow({ room: big, user: 'ann', since: { epoch: 'e1', seq: 20 } });
    expect(tail).toMatchObject({ recovered: true });
    expect(tail!.events).toHaveLength(20);
  });
});
