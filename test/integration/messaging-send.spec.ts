import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MessagingService } from '../../src/messaging/messaging.service.js';
import type { Message } from '../../src/protocol/index.js';
import { type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;
let room: string;

beforeAll(async () => {
  server = await startMessagingApp();
  room = await server.room('private', { ada: 'owner', bob: 'member' });
});

afterAll(() => server.close());

const send = (body: unknown, key: string | undefined = randomUUID(), user = 'ada', where = room) => {
  const call = server.call(user, 'post', where, '/messages');
  return (key === undefined ? call : call.set('Idempotency-Key', key)).send(body as object);
};
const shown = async (seq: number, where = room) => (await server.call('ada', 'get', where, `/messages/${seq}`).expect(200)).body as Message;
const detailsOf = async (body: unknown, key?: string) => {
  const answer = await send(body, key).expect(400);
  expect(answer.body).toMatchObject({ code: 'validation_failed' });
  return answer.body.details as { path: string; message: string }[];
};

describe('POST /v1/rooms/:room/messages', () => {
  it('stores the message, numbers it, and tells of it', async () => {
    const id = await server.room('private', { ada: 'owner' });
    const { body } = await send({ text: 'hi', meta: { b: 1, a: [null, { deep: '👍' }] } }, 'key 1', 'ada', id).expect(201);
    expect(body).toEqual({
      seq: 1,
      lastSeq: 1,
      sender: 'ada',
      clientId: 'key 1',
      text: 'hi',
      meta: { b: 1, a: [null, { deep: '👍' }] },
      version: 1,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      editedAt: null,
      deletedAt: null,
    });
    expect(await shown(1, id)).toEqual(body);
    expect(server.published.get(id)!.map(({ frame }) => frame)).toEqual([
      { event: 'message.created', room: id, seq: 1, at: body.createdAt, data: body },
    ]);
    expect((await send({ text: 'again' }, 'key 2', 'ada', id).expect(201)).body).toMatchObject({ seq: 2, meta: {} });
  });

  it('is the same message when it is sent again, as it stands, and wherever its sender is now', async () => {
    const id = await server.room('private', { ada: 'owner', bob: 'member' });
    const first = (await send({ text: 'once' }, 'same', 'bob', id).expect(201)).body as Message;
    expect((await send({ text: 'another text' }, 'same', 'bob', id).expect(200)).body).toEqual(first);
    expect((await send({ text: 'another sender' }, 'same', 'ada', id).expect(201)).body).toMatchObject({ seq: 2 });

    const edited = (await server.call('bob', 'patch', id, '/messages/1').send({ text: 'edited' }).expect(200)).body as Message;
    await server.sql.query(`DELETE FROM memberships WHERE room_id = $1 AND user_id = 'bob'`, [id]);
    expect((await send({ text: 'once' }, 'same', 'bob', id).expect(200)).body).toEqual(edited);
    expect((await send({ text: 'once' }, 'new', 'bob', id).expect(404)).body.message).toBe('There is no such room.');
  });

  it('makes one message of the same key sent at once', async () => {
    const id = await server.room('public', { ada: 'owner' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => send({ text: 'race' }, 'raced', 'ada', id)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  it('numbers the messages of one caller in the order of the calls, without hole or double', async () => {
    const id = await server.room('public', { ada: 'owner' });
    const ada = { userId: 'ada', name: null, roles: [], sessionId: null, tokenId: null, issuedAt: 0, expiresAt: 0 };
    const drafts = Array.from({ length: 500 }, (_, index) => ({ room: id, clientId: `c${index}`, text: `${index}` }));
    const appended = await Promise.all(drafts.map((draft) => server.app.get(MessagingService).send(ada, draft)));
    expect(appended.map(({ seq }) => seq)).toEqual(drafts.map((_, index) => index + 1));
  });

  it('is for members', async () => {
    const open = await server.room('public', { ada: 'owner' });
    expect((await send({ text: 'hi' }, 'x', 'eve', open).expect(403)).body.code).toBe('forbidden');
    const hidden = (await send({ text: 'hi' }, 'x', 'eve').expect(404)).body;
    const missing = (await send({ text: 'hi' }, 'x', 'eve', randomUUID()).expect(404)).body;
    expect({ ...hidden, requestId: '' }).toEqual({ ...missing, requestId: '' });
    await server.sql.query('UPDATE rooms SET archived_at = now() WHERE id = $1', [open]);
    expect((await send({ text: 'hi' }, 'x', 'ada', open).expect(409)).body.code).toBe('conflict');
  });

  it('needs a token, and a room that can be one', async () => {
    await server.call('ada', 'post', room, '/messages').unset('Authorization').send({ text: 'hi' }).expect(401);
    for (const bad of ['1', `${room}x`, "'--", '%00', '%F0%9F%91%8D']) {
      expect((await send({ text: 'hi' }, 'x', 'ada', bad).expect(400)).body.details).toEqual([{ path: 'room', message: 'must be a UUID' }]);
    }
    expect((await send({ text: 'hi' }, 'upper case', 'ada', room.toUpperCase()).expect(201)).body).toMatchObject({ sender: 'ada' });
  });
});

describe('what a message may be', () => {
  const NESTED_8 = { a: { b: { c: { d: { e: { f: { g: {} } } } } } } };

  it('takes what the limits allow', async () => {
    for (const body of [
      { text: 'x'.repeat(8000) },
      { text: '👍'.repeat(4000) },
      { text: '\u0001'.repeat(8000) },
      { text: `'; DROP TABLE messages; -- \\ %_ $1 $$ \u2028` },
      { text: ' ', meta: { 'a.b': 'x'.repeat(4000) } },
      { text: 'nested', meta: NESTED_8 },
      { text: 'keys', meta: { toString: 1, hasOwnProperty: null, "'; --": '"' } },
    ]) {
      const { body: message } = await send(body).expect(201);
      expect(message).toMatchObject(body);
      expect(await shown(message.seq as number)).toEqual(message);
    }
  });

  it.each([
    ['no text', {}, 'text', 'must be a string'],
    ['empty text', { text: '' }, 'text', 'must not be empty'],
    ['long text', { text: 'x'.repeat(8001) }, 'text', 'must have at most 8000 characters'],
    ['text long in UTF-16', { text: '👍'.repeat(4001) }, 'text', 'must have at most 8000 characters'],
    ['U+0000 in text', { text: 'a\u0000b' }, 'text', 'must not contain U+0000'],
    ['a lone surrogate in text', { text: 'a\ud83d' }, 'text', 'must not contain a lone surrogate'],
    ['null for text', { text: null }, 'text', 'must be a string'],
    ['an object for text', { text: { $gt: '' } }, 'text', 'must be a string'],
    ['null for meta', { text: 'a', meta: null }, 'meta', 'must be an object'],
    ['an array for meta', { text: 'a', meta: [] }, 'meta', 'must be an object'],
    ['U+0000 in a key of meta', { text: 'a', meta: { b: [{ 'c\u0000': 1 }] } }, 'meta', 'must not contain U+0000'],
    ['a lone surrogate in meta', { text: 'a', meta: { b: ['\udc00'] } }, 'meta', 'must not contain a lone surrogate'],
    ['large meta', { text: 'a', meta: { b: '€'.repeat(1400) } }, 'meta', 'must be at most 4096 bytes'],
    ['deep meta', { text: 'a', meta: { z: NESTED_8 } }, 'meta', 'must nest at most 8 levels'],
  ])('refuses %s', async (_, body, path, message) => {
    expect(await detailsOf(body)).toEqual([{ path, message }]);
  });

  it.each(['sender', 'role', 'replyTo', 'threadOf', 'attachments', 'mentions', 'room', 'clientId', 'seq', 'createdAt'])(
    'refuses the field %s',
    async (field) => {
      expect(await detailsOf({ text: 'hi', [field]: 'u8' })).toEqual([{ path: field, message: 'is not a known field' }]);
    },
  );

  it('refuses a body that is no object, deep JSON and __proto__', async () => {
    await send([]).expect(400);
    const raw = (json: string) => send(undefined).type('json').send(json).expect(400);
    await raw('"hi"');
    await raw('{"text":');
    await raw(`{"text":"hi","meta":${'['.repeat(10_000)}${']'.repeat(10_000)}}`);
    await raw('{"text":"hi","__proto__":{"sender":"eve"}}');
    await raw('{"text":"hi","meta":{"a":{"__proto__":{"b":1}}}}');
  });

  it.each([
    ['no key', undefined, 'must be given'],
    ['an empty key', '', 'must be given'],
    ['a long key', 'k'.repeat(65), 'must have at most 64 characters'],
    ['a key beyond ASCII', 'caf\u00e9', 'must be of printable ASCII characters'],
  ])('refuses %s', async (_, key, message) => {
    const call = server.call('ada', 'post', room, '/messages');
    const { body } = await (key === undefined ? call : call.set('Idempotency-Key', key)).send({ text: 'hi' }).expect(400);
    expect(body.details).toEqual([{ path: 'Idempotency-Key', message }]);
    expect((await send({ text: 'hi' }, 'k'.repeat(64)).expect((answer) => answer.status < 300)).body.text).toBe('hi');
  });
});
