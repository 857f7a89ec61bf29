import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Message } from '../../src/protocol/index.js';
import { type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;
let room: string;
/** Bob's, at seq 1. */
let original: Message;

beforeAll(async () => {
  server = await startMessagingApp();
});

afterAll(() => server.close());

beforeEach(async () => {
  room = await server.room('private', { ada: 'owner', mod: 'moderator', bob: 'member', cid: 'member' });
  original = (await server.post('bob', room, 'first', 'k1').expect(201)).body as Message;
});

const edit = (user: string, body: unknown, seq: number | string = 1, where = room) =>
  server.call(user, 'patch', where, `/messages/${seq}`).send(body as object);
const remove = (user: string, seq: number | string = 1, where = room) => server.call(user, 'delete', where, `/messages/${seq}`);
const shown = async (seq = 1) => (await server.call('ada', 'get', room, `/messages/${seq}`).expect(200)).body as Message;
const frames = () => server.published.get(room)!.map(({ frame }) => frame);
const without = (body: { requestId: string }) => ({ ...body, requestId: '' });

describe('PATCH /v1/rooms/:room/messages/:seq', () => {
  it('changes the message, and tells of it by an event of its own', async () => {
    const { body } = await edit('bob', { text: 'second' }).expect(200);
    expect(body).toEqual({ ...original, text: 'second', lastSeq: 2, version: 2, editedAt: expect.any(String) });
    expect(await shown()).toEqual(body);
    expect(frames()[1]).toEqual({ event: 'message.updated', room, seq: 2, at: body.editedAt, data: body });
    expect((await edit('bob', { meta: { a: 1 } }).expect(200)).body).toMatchObject({
      text: 'second',
      meta: { a: 1 },
      lastSeq: 3,
      version: 3,
    });
    expect((await edit('bob', { text: 'third', meta: {} }).expect(200)).body).toMatchObject({ text: 'third', meta: {}, version: 4 });
    expect(server.published.get(room)!.map(({ event: { seq, user, ends } }) => ({ seq, user, ends }))).toEqual(
      [1, 2, 3, 4].map((seq) => ({ seq, user: 'bob', ends: null })),
    );
    expect((await server.post('bob', room, 'next').expect(201)).body).toMatchObject({ seq: 5 });
  });

  it('makes no event when nothing would change, and sees that before the version', async () => {
    await edit('bob', { meta: { b: [0, { y: 1, x: null }], a: 1.5 } }).expect(200);
    const before = await shown();
    for (const same of [
      { text: 'first' },
      { meta: { a: 1.5, b: [0, { x: null, y: 1 }] } },
      { text: 'first', meta: { a: 1.5, b: [-0, { x: null, y: 1 }] }, ifVersion: 77 },
    ]) {
      expect((await edit('bob', same).expect(200)).body).toEqual(before);
    }
    await server.sql.query('UPDATE rooms SET archived_at = now() WHERE id = $1', [room]);
    expect((await edit('bob', { text: 'first' }).expect(200)).body).toEqual(before);
    expect(frames()).toHaveLength(2);
  });

  it('refuses an edit of another version, with the message as it stands', async () => {
    await edit('bob', { text: 'second', ifVersion: 1 }).expect(200);
    const { body } = await edit('bob', { text: 'mine', ifVersion: 1 }).expect(409);
    expect(body).toMatchObject({ code: 'conflict', current: await shown() });
    await edit('bob', { text: 'mine', ifVersion: 3 }).expect(409);
    await edit('bob', { text: 'mine', ifVersion: 2 }).expect(200);
  });

  it('lets one of two edits of the same version pass', async () => {
    const answers = await Promise.all(['a', 'b', 'c'].map((text) => edit('bob', { text, ifVersion: 1 })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(await shown()).toMatchObject({ version: 2, lastSeq: 2 });
  });

  it('refuses to edit a deleted message', async () => {
    await remove('bob').expect(200);
    for (const body of [{ text: 'back' }, { meta: {} }, { text: 'back', ifVersion: 1 }]) {
      expect((await edit('bob', body).expect(409)).body).toMatchObject({ code: 'conflict', current: await shown() });
    }
    expect(frames()).toHaveLength(2);
  });

  it.each(['ada', 'mod', 'cid'])('is not for %s, who did not send it', async (user) => {
    expect((await edit(user, { text: 'forged' }).expect(403)).body.code).toBe('forbidden');
    await edit(user, { text: 'first' }).expect(403);
    expect(await shown()).toEqual(original);
  });

  it('is not for who is no member any more, in the words of a room that is not there', async () => {
    await server.sql.query(`DELETE FROM memberships WHERE room_id = $1 AND user_id = 'bob'`, [room]);
    const kicked = (await edit('bob', { text: 'late' }).expect(404)).body;
    expect(without(kicked)).toEqual(without((await edit('bob', { text: 'late' }, 1, randomUUID()).expect(404)).body));
    expect(without((await remove('bob').expect(404)).body)).toEqual(without(kicked));
    await server.sql.query(`UPDATE rooms SET type = 'public' WHERE id = $1`, [room]);
    await edit('bob', { text: 'late' }).expect(403);
    await edit('bob', { text: 'late' }, 99).expect(403);
    await remove('bob').expect(403);
    expect(await shown()).toEqual(original);
  });

  it('fails behind a kick that is under way', async () => {
    const runner = server.sql.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT FROM rooms WHERE id = $1 FOR NO KEY UPDATE', [room]);
    const late = edit('bob', { text: 'late' }).then(({ status }) => status);
    await waitingForTheRoom();
    await runner.query(`DELETE FROM memberships WHERE room_id = $1 AND user_id = 'bob'`, [room]);
    await runner.commitTransaction();
    await runner.release();
    expect(await late).toBe(404);
    expect(await shown()).toEqual(original);
  });

  async function waitingForTheRoom(): Promise<void> {
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await server.sql.query<object[]>(waiting)).length === 0) await new Promise(setImmediate);
  }

  it('refuses in an archived room', async () => {
    await server.sql.query('UPDATE rooms SET archived_at = now() WHERE id = $1', [room]);
    expect((await edit('bob', { text: 'late' }).expect(409)).body.code).toBe('conflict');
    expect((await remove('bob').expect(409)).body.code).toBe('conflict');
  });

  it('reaches no message of another room, nor what is no message', async () => {
    const other = await server.room('private', { bob: 'owner' });
    await server.post('bob', other, 'one').expect(201);
    await server.post('bob', other, 'two').expect(201);
    for (const seq of [2, 3, Number.MAX_SAFE_INTEGER]) {
      expect((await edit('bob', { text: 'x' }, seq).expect(404)).body.message).toBe('There is no such message.');
      expect((await remove('ada', seq).expect(404)).body.message).toBe('There is no such message.');
    }
    await edit('bob', { text: 'changed' }).expect(200);
    await edit('bob', { text: 'an event, no message' }, 2).expect(404);
    expect((await server.call('bob', 'get', other, '/messages/2').expect(200)).body).toMatchObject({ text: 'two', version: 1 });
  });

  it.each([
    ['nothing', {}, ''],
    ['only a version', { ifVersion: 1 }, ''],
    ['null for text', { text: null }, 'text'],
    ['empty text', { text: '' }, 'text'],
    ['U+0000', { text: '\u0000' }, 'text'],
    ['a surrogate', { meta: { a: '\udfff' } }, 'meta'],
    ['null for meta', { meta: null }, 'meta'],
    ['version 0', { text: 'x', ifVersion: 0 }, 'ifVersion'],
    ['a version as text', { text: 'x', ifVersion: '1' }, 'ifVersion'],
    ['half a version', { text: 'x', ifVersion: 1.5 }, 'ifVersion'],
    ...['sender', 'role', 'replyTo', 'threadOf', 'attachments', 'mentions', 'seq', 'version'].map(
      (field) => [field, { text: 'x', [field]: 'eve' }, field] as const,
    ),
  ])('refuses %s', async (_, body, path) => {
    const answer = (await edit('bob', body).expect(400)).body;
    expect(answer).toMatchObject({ code: 'validation_failed', details: [{ path }] });
    expect(await shown()).toEqual(original);
  });

  it.each(['0', '-1', '1.0', '1e0', '0x1', '01234567890123456', '9007199254740992', ' 1', 'NaN', "1'--", '1;DROP TABLE messages'])(
    'refuses the seq %j',
    async (seq) => {
      const path = encodeURIComponent(seq);
      expect((await edit('bob', { text: 'x' }, path).expect(400)).body.details).toMatchObject([{ path: 'seq' }]);
      await remove('bob', path).expect(400);
      await server.call('bob', 'get', room, `/messages/${path}`).expect(400);
    },
  );
});

describe('DELETE /v1/rooms/:room/messages/:seq', () => {
  it.each(['bob', 'mod', 'ada'])('empties the message at the word of %s', async (user) => {
    await edit('bob', { text: 'second', meta: { secret: 1 } }).expect(200);
    const before = await shown();
    const { body } = await remove(user).expect(200);
    expect(body).toEqual({ ...before, lastSeq: 3, text: '', meta: {}, deletedAt: expect.any(String) });
    expect(await shown()).toEqual(body);
    expect(frames()[2]).toEqual({ event: 'message.deleted', room, seq: 3, at: body.deletedAt, data: body });

    expect((await remove(user).expect(200)).body).toEqual(body);
    expect((await remove('ada').expect(200)).body).toEqual(body);
    expect(frames()).toHaveLength(3);
    expect((await server.post('bob', room, 'first', 'k1').expect(200)).body).toEqual(body);
  });

  it('is not for other members, nor for anybody but the sender in a direct room', async () => {
    await remove('cid').expect(403);
    const direct = await server.room('direct', { bob: 'member', cid: 'member' });
    await server.post('bob', direct, 'hi').expect(201);
    expect((await remove('cid', 1, direct).expect(403)).body.code).toBe('forbidden');
    await remove('bob', 1, direct).expect(200);
    await remove('cid', 1, direct).expect(403);
  });

  it('leaves nothing of the message in the log', async () => {
    await edit('bob', { text: 'a secret', meta: { secret: true } }).expect(200);
    await remove('bob').expect(200);
    const { body } = await server.call('ada', 'get', room, '/events').expect(200);
    expect(body.events.map(({ event, seq, data }: { event: string; seq: number; data: Message }) => [event, seq, data.text])).toEqual([
      ['message.created', 1, ''],
      ['message.updated', 2, ''],
      ['message.deleted', 3, ''],
    ]);
    expect(JSON.stringify(body)).not.toContain('secret');
  });
});
