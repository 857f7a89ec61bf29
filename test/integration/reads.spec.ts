import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { UserDirectory } from '../../src/auth/user-directory.js';
import type { Signal } from '../../src/bus/room-bus.js';
import { Sql } from '../../src/database/sql.js';
import { ReadMarks } from '../../src/messaging/read-marks.service.js';
import { ReadReceipts } from '../../src/messaging/read-receipts.service.js';
import { jsonOf, type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;
let marks: ReadMarks;
let room: string;

beforeAll(async () => {
  server = await startMessagingApp();
  marks = server.app.get(ReadMarks);
});

afterAll(() => server.close());

beforeEach(async () => {
  room = await server.room('private', { ada: 'owner', bob: 'member', shy: 'member' });
});

const put = (user: string, seq: unknown, where = room) => server.call(user, 'put', where, '/read').send({ seq });
const stored = async (user: string, where = room) => {
  const rows = await server.sql.query('SELECT read_seq::integer AS seq FROM memberships WHERE room_id = $1 AND user_id = $2', [
    where,
    user,
  ]);
  return (rows as { seq: number }[])[0]?.seq;
};
const signalsOf = (kind: 'user' | 'room', where = room) =>
  server.signals.filter(({ audience, frame }) => audience.kind === kind && jsonOf(frame).room === where);

async function fill(count: number, sender = 'ada'): Promise<void> {
  await server.sql.query(
    `INSERT INTO messages (room_id, seq, last_seq, sender_id, client_id, text, meta, created_at)
     SELECT $1, r.last_seq + n, r.last_seq + n, $2, gen_random_uuid(), 'hi', '{}', now() FROM rooms r, generate_series(1, $3::integer) n WHERE r.id = $1`,
    [room, sender, count],
  );
  await server.sql.query('UPDATE rooms SET last_seq = last_seq + $2 WHERE id = $1', [room, count]);
}

async function eventually(count: number, signals: () => Signal[]): Promise<Signal[]> {
  while (signals().length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  return signals();
}

describe('PUT /v1/rooms/:room/read', () => {
  it('moves the mark forward, never back, never beyond the head', async () => {
    await fill(10);
    expect((await put('bob', 4).expect(200)).body).toEqual({ readSeq: 4, unread: 6 });
    expect((await put('bob', 2).expect(200)).body).toEqual({ readSeq: 4, unread: 6 });
    expect((await put('bob', 0).expect(200)).body).toEqual({ readSeq: 4, unread: 6 });
    expect((await put('bob', Number.MAX_SAFE_INTEGER).expect(200)).body).toEqual({ readSeq: 10, unread: 0 });
    expect(await stored('bob')).toBe(10);
    expect(await stored('ada')).toBe(0);
  });

  it('counts what others wrote and nobody deleted, up to 100', async () => {
    await fill(3, 'bob');
    await fill(99);
    expect((await put('bob', 0).expect(200)).body).toEqual({ readSeq: 0, unread: 99 });
    await server.call('ada', 'delete', room, '/messages/10').expect(200);
    await server.call('ada', 'patch', room, '/messages/11').send({ text: 'edited' }).expect(200);
    expect((await put('bob', 0).expect(200)).body).toEqual({ readSeq: 0, unread: 98 });
    await fill(50);
    expect((await put('bob', 0).expect(200)).body).toEqual({ readSeq: 0, unread: 100 });
    expect((await put('bob', 104).expect(200)).body).toEqual({ readSeq: 104, unread: 50 });
  });

  it('is for members, in an archived room too', async () => {
    await fill(1);
    const hidden = (await put('eve', 1).expect(404)).body;
    const missing = (await put('eve', 1, randomUUID()).expect(404)).body;
    expect({ ...hidden, requestId: '' }).toEqual({ ...missing, requestId: '' });
    await server.sql.query(`UPDATE rooms SET type = 'public', archived_at = now() WHERE id = $1`, [room]);
    expect((await put('eve', 1).expect(403)).body.code).toBe('forbidden');
    expect((await put('bob', 1).expect(200)).body).toEqual({ readSeq: 1, unread: 0 });
    await server.sql.query('UPDATE rooms SET deleted_at = now() WHERE id = $1', [room]);
    await put('bob', 1).expect(404);
  });

  it('answers many at once, each with his own', async () => {
    await fill(5);
    const other = await server.room('public', { bob: 'owner' });
    const asks: [string, string, number][] = [
      ['bob', room, 3],
      ['bob', room, 1],
      ['ada', room, 2],
      ['eve', room, 2],
      ['bob', other, 9],
      ['eve', other, 1],
      ['bob', randomUUID(), 1],
    ];
    const outcomes = await Promise.allSettled(asks.map((ask) => marks.set(...ask)));
    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as { code: string }).code))).toEqual(
      [
        { readSeq: 3, unread: 2 },
        { readSeq: 3, unread: 2 },
        { readSeq: 2, unread: 0 },
        'not_found',
        { readSeq: 0, unread: 0 },
        'forbidden',
        'not_found',
      ],
    );
  });

  it('never goes back, whoever comes first', async () => {
    await fill(50);
    const turns = Array.from({ length: 300 }, (_, index) => (index * 37) % 50);
    await Promise.all(
      turns.map(async (seq) => {
        const { readSeq } = await marks.set('bob', room, seq + 1);
        expect(readSeq).toBeGreaterThan(seq);
      }),
    );
    expect(await stored('bob')).toBe(50);
  });

  it('never goes back when instances set the same marks at once', async () => {
    await fill(100);
    const rooms = [room, await server.room('public', { ada: 'owner', bob: 'member', shy: 'member' })];
    await server.sql.query('UPDATE rooms SET last_seq = 100 WHERE id = $1', [rooms[1]]);
    const instances = [marks, new ReadMarks(server.app.get(Sql), server.app.get(ReadReceipts))];
    const users = ['ada', 'bob', 'shy'];
    const asks = Array.from({ length: 600 }, (_, index) =>
      instances[index % 2]!.set(users[(index * 7) % 3]!, rooms[(index * 11) % 2]!, (index * 37) % 101),
    );
    await Promise.all(asks);
    for (const user of users) expect([await stored(user, rooms[0]), await stored(user, rooms[1])]).toEqual([100, 100]);
  });

  it.each([[{}], [{ seq: -1 }], [{ seq: '1' }], [{ seq: 1.5 }], [{ seq: null }], [{ seq: 2 ** 53 }], [{ seq: 1, user: 'ada' }], [[]]])(
    'refuses %j',
    async (body) => {
      expect((await server.call('bob', 'put', room, '/read').send(body).expect(400)).body.code).toBe('validation_failed');
    },
  );
});

describe('read.updated', () => {
  it("goes to the user's own connections at once, and to the room once, with the last place", async () => {
    await fill(10);
    await put('bob', 3).expect(200);
    expect(signalsOf('user').map(({ audience, frame }) => [audience, jsonOf(frame)])).toEqual([
      [
        { kind: 'user', user: 'bob' },
        { event: 'read.updated', room, data: { user: 'bob', seq: 3 } },
      ],
    ]);
    expect(jsonOf((await eventually(1, () => signalsOf('room')))[0]!.frame).data).toEqual({ user: 'bob', seq: 3 });
    // All within one half second, however slow the machine.
    await Promise.all([put('bob', 3), put('bob', 2), put('bob', 7), put('ada', 5)].map((request) => request.expect(200)));
    const told = (await eventually(3, () => signalsOf('room'))).slice(1);
    const byUser = told.map(({ audience, frame }) => [audience, jsonOf(frame).data]);
    expect(byUser).toHaveLength(2);
    expect(byUser).toEqual(
      expect.arrayContaining([
        [
          { kind: 'room', room, exceptUser: 'bob' },
          { user: 'bob', seq: 7 },
        ],
        [
          { kind: 'room', room, exceptUser: 'ada' },
          { user: 'ada', seq: 5 },
        ],
      ]),
    );
    expect(new Set(told.map(({ key }) => key)).size).toBe(2);
    await put('bob', 9).expect(200);
    expect(jsonOf((await eventually(4, () => signalsOf('room')))[3]!.frame).data).toEqual({ user: 'bob', seq: 9 });
  });

  it('does not go to the room for an invisible user', async () => {
    await fill(5);
    await server.app.get(UserDirectory).setStatus('shy', 'invisible');
    await put('shy', 3).expect(200);
    await put('bob', 2).expect(200);
    expect(jsonOf((await eventually(1, () => signalsOf('room')))[0]!.frame).data).toEqual({ user: 'bob', seq: 2 });
    expect(signalsOf('room')).toHaveLength(1);
    expect(signalsOf('user')).toHaveLength(2);
  });

  it('is not there in large rooms', async () => {
    await fill(5);
    await server.sql.query('UPDATE rooms SET member_count = 201 WHERE id = $1', [room]);
    await put('bob', 3).expect(200);
    const small = room;
    room = await server.room('private', { ada: 'owner', bob: 'member' });
    await fill(1, 'ada');
    await put('bob', 1).expect(200);
    await eventually(1, () => signalsOf('room'));
    expect([...signalsOf('user', small), ...signalsOf('room', small)]).toEqual([]);
  });
});
