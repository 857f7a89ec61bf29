import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChatClient, Frame } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { OPCODES, RawSocket } from '../support/raw-socket.js';

const FRAME_BYTES = 65_536;

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

const raw = () => RawSocket.open(server.wsUrl, server.test.token('ann'));

async function closeCode(socket: RawSocket): Promise<number | undefined> {
  await socket.until(() => socket.closeCode !== undefined);
  socket.socket.destroy();
  return socket.closeCode;
}

describe('bytes', () => {
  it('line 26: a frame over 64 KiB closes with 1009; one of 64 KiB is answered', async () => {
    const padded = (bytes: number) => {
      const frame = { id: 1, event: 'ping', data: {}, padding: '' };
      return JSON.stringify({ ...frame, padding: 'x'.repeat(bytes - JSON.stringify(frame).length) });
    };
    expect(await answer(padded(FRAME_BYTES))).toMatchObject({ id: 1, event: 'ack' });
    client.raw(padded(FRAME_BYTES + 1));
    expect((await client.closed).code).toBe(1009);
  });

  it('line 26: a message over 64 KiB in fragments, none of which is, closes with 1009', async () => {
    const socket = await raw();
    socket.send(OPCODES.text, 'x'.repeat(40_000), false);
    socket.send(OPCODES.continuation, 'x'.repeat(25_536), false);
    socket.send(OPCODES.continuation, 'x', false);
    expect(await closeCode(socket)).toBe(1009);
  });

  it('line 26: a length that is only announced closes with 1009, without waiting for the bytes', async () => {
    const socket = await raw();
    socket.socket.write(Buffer.from([0x81, 0xff, 0x00, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4]));
    expect(await closeCode(socket)).toBe(1009);
  });

  it('fragments of one byte are one command', async () => {
    const socket = await raw();
    const text = JSON.stringify({ id: 3, event: 'ping', data: {} });
    [...text].forEach((byte, index) => socket.send(index === 0 ? OPCODES.text : OPCODES.continuation, byte, index === text.length - 1));
    await socket.until(() => socket.json().some(({ id }) => id === 3));
    socket.socket.destroy();
  });

  it('a binary frame closes with 1003', async () => {
    client.socket.send(Buffer.from(JSON.stringify({ id: 1, event: 'ping' })), { binary: true });
    expect((await client.closed).code).toBe(1003);
  });

  it('invalid UTF-8 closes with 1007', async () => {
    for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      const socket = await raw();
      socket.send(OPCODES.text, Buffer.from(bytes));
      expect(await closeCode(socket)).toBe(1007);
    }
  });

  it('what is not RFC 6455 closes with 1002', async () => {
    const unmasked = Buffer.from([0x81, 0x02, 0x7b, 0x7d]);
    const reservedBit = Buffer.from([0xc1, 0x80, 1, 2, 3, 4]);
    const unknownOpcode = Buffer.from([0x83, 0x80, 1, 2, 3, 4]);
    const loneContinuation = Buffer.from([0x80, 0x80, 1, 2, 3, 4]);
    const fragmentedPing = Buffer.from([0x09, 0x80, 1, 2, 3, 4]);
    for (const bytes of [unmasked, reservedBit, unknownOpcode, loneContinuation, fragmentedPing]) {
      const socket = await raw();
      socket.socket.write(bytes);
      expect(await closeCode(socket)).toBe(1002);
    }
  });
});

describe('frames', () => {
  it('what is no command is answered by bad_frame without an id', async () => {
    const bad = [
      '',
      ' ',
      '{',
      'hello',
      'null',
      'true',
      '1',
      '"ping"',
      '[]',
      '[{"event":"ping"}]',
      '{}',
      '{"id":1}',
      '{"id":1,"event":null}',
      '{"id":1,"event":1}',
      '{"id":1,"event":["ping"]}',
      '{"id":1,"event":{"__proto__":"ping"}}',
      '{"event":"ping"}{"event":"ping"}',
      ...['0', '-1', '1.5', '"1"', 'null', 'true', '[]', '{}', '9007199254740992', '1e400'].map((id) => `{"id":${id},"event":"ping"}`),
    ];
    for (const text of bad) {
      const frame = await answer(text);
      expect([text, Object.keys(frame), frame.event]).toEqual([text, ['event', 'data'], 'error']);
      expect(frame.data).toEqual({ code: 'bad_frame', message: expect.any(String), retryable: false });
    }
  });

  it('100 bad frames in a row close with 4200; a good one in between starts the count anew', async () => {
    for (const count of [99, 99]) {
      for (let i = 0; i < count; i++) client.raw('{');
      await client.command('ping');
    }
    for (let i = 0; i < 100; i++) client.raw('{');
    expect((await client.closed).code).toBe(4200);
    expect(client.frames.filter(({ event }) => event === 'error')).toHaveLength(298);
  });

  it('an unknown event is unknown_event, also by the names that every object has', async () => {
    for (const event of [
      '',
      'Ping',
      'message.react',
      'constructor',
      '__proto__',
      'toString',
      'hasOwnProperty',
      'connection',
      'ack',
      'a\u0000b',
      '\ud800',
    ]) {
      const frame = await answer(JSON.stringify({ id: 1, event, data: {} }));
      expect([event, frame]).toEqual([
        event,
        { id: 1, event: 'error', data: { code: 'unknown_event', message: expect.any(String), retryable: false } },
      ]);
    }
  });

  it('without an id only failures are answered, without an id', async () => {
    await client.command('room.subscribe', { room });
    client.raw(JSON.stringify({ event: 'ping' }));
    client.raw(JSON.stringify({ event: 'message.send', data: { room, clientId: 'silent', text: 'no ack' } }));
    await client.next(({ event, data }) => event === 'message.created' && (data as { clientId: string }).clientId === 'silent');
    for (const [text, code] of [
      ['{"event":"nothing"}', 'unknown_event'],
      ['{"event":"message.send","data":{}}', 'validation_failed'],
      [JSON.stringify({ event: 'message.delete', data: { room, seq: 999_999 } }), 'not_found'],
    ] as const) {
      const frame = await answer(text);
      expect(frame.id).toBeUndefined();
      expect(frame).toMatchObject({ event: 'error', data: { code } });
    }
    expect(client.frames.filter(({ event, id }) => event === 'ack' && id === undefined)).toEqual([]);
  });

  it('unknown fields beside data are ignored, and missing data is {}', async () => {
    expect(await answer('{"id":5,"event":"ping","trace":"abc","seq":7}')).toMatchObject({ id: 5, event: 'ack' });
    expect(await answer('{"id":5,"event":"message.send"}')).toMatchObject({ id: 5, data: { code: 'validation_failed' } });
    for (const data of ['null', '[]', '1', '"{}"']) {
      expect(await answer(`{"id":5,"event":"ping","data":${data}}`)).toMatchObject({ id: 5, data: { code: 'validation_failed' } });
    }
  });
});
