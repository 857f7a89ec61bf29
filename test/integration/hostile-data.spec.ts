import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChatClient, Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';

const DEPTH = 10_000;

let server: ChatServer;
let room: string;
let client: ChatClient;
beforeAll(async () => {
  server = await ChatServer.start();
  room = await server.room('ann', 'private');
});
beforeEach(async () => {
  client = await server.connect('ann');
});
afterEach(() => client.terminate());
afterAll(() => server.close());

/** Sends text and waits for the answer; the frame after it must be that of a ping, so there is one answer and no more. */
async function answer(text: string): Promise<Frame> {
  const came = client.frames.length;
  client.raw(text);
  await client.next(() => true);
  await client.command('ping', {}, 9_999);
  const frames = client.frames.slice(came);
  expect(frames).toHaveLength(2);
  return frames[0]!;
}

async function send(data: object): Promise<Frame> {
  return answer(JSON.stringify({ id: 1, event: 'message.send', data: { room, clientId: 'c', text: 'x', ...data } }));
}

describe('data', () => {
  it('lines 22 and 27: unknown fields are refused, and the sender is not one to be named', async () => {
    const fields = [
      'sender',
      'role',
      'userId',
      'seq',
      'createdAt',
      'threadOf',
      'replyTo',
      'mentions',
      'attachments',
      'foo',
      'Text',
      '__proto__',
      'constructor',
    ];
    for (const field of fields) {
      const text = `{"id":1,"event":"message.send","data":{"room":"${room}","clientId":"c","text":"x","${field}":"ann"}}`;
      const frame = await answer(text);
      expect([field, (frame.data as { code: string }).code]).toEqual([field, 'validation_failed']);
      expect((frame.data as { details: unknown }).details).toEqual([{ path: field, message: 'is not a known field' }]);
    }
    const nested = JSON.stringify({ id: 1, event: 'rooms.subscribe', data: { rooms: [{ room, sinse: 1, roon: 2 }], all: true } });
    expect(((await answer(nested)).data as { details: { path: string }[] }).details.map(({ path }) => path).sort()).toEqual([
      'all',
      'rooms.0.roon',
      'rooms.0.sinse',
    ]);
    for (const event of [
      'ping',
      'room.join',
      'room.subscribe',
      'read.set',
      'history.get',
      'presence.set',
      'auth.refresh',
      'typing.start',
    ]) {
      const data = { room, seq: 1, status: 'online', token: 'x' };
      const frame = await answer(JSON.stringify({ id: 1, event, data: { ...data, extra: 1 } }));
      expect([event, (frame.data as { code: string }).code]).toEqual([event, 'validation_failed']);
    }
  });

  it('line 28: a value of another type is validation_failed', async () => {
    const wrong: object[] = [
      ...[1, null, true, [], {}, { $ne: '' }, ['x']].flatMap((value) => [{ text: value }, { clientId: value }, { room: value }]),
      ...['x', 1, null, [], true].map((meta) => ({ meta })),
      { room: "' OR 1=1 --" },
      { room: `${room} ` },
      { room: `{${room}}` },
      { text: '' },
      { text: 'x'.repeat(8_001) },
      { clientId: 'x'.repeat(65) },
    ];
    for (const data of wrong) expect([data, (await send(data)).data]).toMatchObject([data, { code: 'validation_failed' }]);
    const others: [string, object][] = [
      ['message.delete', { room, seq: '1' }],
      ['message.edit', { room, seq: 1, text: 'x', ifVersion: '1' }],
      ['read.set', { room, seq: 1.5 }],
      ['read.set', { room, seq: -1 }],
      ['history.get', { room, limit: '10' }],
      ['history.get', { room, before: { $gt: 0 } }],
      ['history.get', { room, before: 9_007_199_254_740_992 }],
      ['room.subscribe', { room, since: 5 }],
      ['room.subscribe', { room, since: { epoch: 1, seq: 1 } }],
      ['rooms.subscribe', { rooms: { room } }],
      ['rooms.subscribe', { rooms: [] }],
      ['rooms.subscribe', { rooms: [{ room }, { room: room.toUpperCase() }] }],
      ['presence.set', { status: 'offline' }],
      ['presence.set', { status: ['online'] }],
      ['auth.refresh', { token: { alg: 'none' } }],
    ];
    for (const [event, data] of others) {
      expect([data, (await answer(JSON.stringify({ id: 1, event, data }))).data]).toMatchObject([data, { code: 'validation_failed' }]);
    }
  });

  it('line 29: JSON 10,000 deep is an error, and the server is alive', async () => {
    const objects = '{"a":'.repeat(DEPTH) + '1' + '}'.repeat(DEPTH);
    const arrays = '['.repeat(DEPTH) + ']'.repeat(DEPTH);
    const inMeta = (meta: string) => `{"id":1,"event":"message.send","data":{"room":"${room}","clientId":"c","text":"x","meta":${meta}}}`;
    const deep = [objects, arrays, `{"a":${arrays}}`].flatMap((value) => [
      inMeta(value),
      `{"id":1,"event":"ping","data":${value}}`,
      `{"id":1,"event":"message.send","data":{"room":${value}}}`,
      `{"id":1,"event":"rooms.subscribe","data":{"rooms":[${value}]}}`,
    ]);
    for (const text of deep) expect((await answer(text)).data).toMatchObject({ code: 'validation_failed' });
    for (const text of [arrays, objects, `{"id":${arrays},"event":"ping"}`, `{"event":${objects}}`]) {
      expect((await answer(text)).data).toMatchObject({ code: 'bad_frame' });
    }
    expect(await answer(`{"id":2,"event":"ping","beside":${arrays}}`)).toMatchObject({ id: 2, event: 'ack' });
    const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) });
    expect((await send({ meta: nested(9), clientId: 'nine' })).data).toMatchObject({ code: 'validation_failed' });
    expect(await send({ meta: nested(8), clientId: 'eight' })).toMatchObject({ event: 'ack' });
  });

  it('line 30: the keys __proto__ and constructor change nothing', async () => {
    await client.command('room.subscribe', { room });
    const meta = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}';
    client.raw(`{"id":1,"event":"message.send","data":{"room":"${room}","clientId":"proto","text":"x","meta":${meta}}}`);
    const refused = await client.next(({ id, event }) => id === 1 || event === 'message.created');
    const details = [{ path: 'meta', message: 'must not have a key __proto__' }];
    expect(refused).toMatchObject({ id: 1, event: 'error', data: { code: 'validation_failed', details } });
    for (const text of [`{"__proto__":{"id":1,"event":"ping"}}`, `{"id":1,"__proto__":{"event":"ping"}}`])
      expect((await answer(text)).data).toMatchObject({ code: 'bad_frame' });
    expect((await answer('{"id":1,"event":"ping","data":{"__proto__":{"x":1}}}')).data).toMatchObject({ code: 'validation_failed' });
    const inherited = `{"id":1,"event":"message.send","data":{"__proto__":{"room":"${room}","clientId":"c","text":"x"}}}`;
    expect((await answer(inherited)).data).toMatchObject({ code: 'validation_failed' });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('line 31: U+0000 and lone surrogates, in any string or key, are validation_failed', async () => {
    for (const bad of ['\u0000', 'a\u0000b', '\ud800', 'x\udfff', '\udc00\ud800']) {
      const everywhere: object[] = [
        { text: bad },
        { clientId: bad },
        { room: bad },
        { meta: { key: bad } },
        { meta: { [bad]: 1 } },
        { meta: { a: [{ b: [bad] }] } },
      ];
      for (const data of everywhere) {
        const { code, details } = (await send(data)).data as { code: string; details: unknown[] };
        expect([JSON.stringify(data), code, details.length > 0]).toEqual([JSON.stringify(data), 'validation_failed', true]);
      }
      for (const [event, data] of [
        ['room.subscribe', { room, since: { epoch: bad, seq: 1 } }],
        ['auth.refresh', { token: bad }],
        ['presence.set', { status: bad }],
      ] as const) {
        expect((await answer(JSON.stringify({ id: 1, event, data }))).data).toMatchObject({ code: 'validation_failed' });
      }
      // In the name of an unknown field too; what is told of it can be read.
      const frame = await send({ [bad]: 1 });
      expect(frame.data).toMatchObject({ code: 'validation_failed' });
      expect(JSON.stringify(frame).isWellFormed()).toBe(true);
    }
    expect(await send({ text: '😀', clientId: 'pair' })).toMatchObject({ event: 'ack' });
  });
});
