import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { connect } from 'node:net';
import { ChatClient } from '../support/chat-client.js';
import { propertySeed } from '../support/seeded.js';
import { startTestApp, type TestApp } from '../support/test-app.js';

const EVENTS = [
  'room.subscribe',
  'rooms.subscribe',
  'room.join',
  'message.send',
  'message.edit',
  'history.get',
  'read.set',
  'ping',
  'nope',
  '__proto__',
];

/** Frames between garbage and almost right. */
const frame = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
  fc.json(),
  fc
    .record(
      { id: fc.oneof(fc.integer(), fc.jsonValue()), event: fc.constantFrom(...EVENTS), data: fc.jsonValue() },
      { requiredKeys: ['event'] },
    )
    .map((value) => JSON.stringify(value)),
  fc
    .record({ room: fc.uuid(), clientId: fc.string(), text: fc.string(), seq: fc.integer(), meta: fc.jsonValue() }, { requiredKeys: [] })
    .chain((data) => fc.constantFrom(...EVENTS).map((event) => JSON.stringify({ id: 1, event, data }))),
);

describe('whatever comes on a socket', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp();
  });
  afterAll(() => server.close());

  /** The process lives: somebody else is served. */
  async function serves(): Promise<void> {
    const client = await ChatClient.connect(server.wsUrl, { token: server.token('witness') });
    expect(await client.command('ping')).toHaveProperty('serverTime');
    await client.close();
  }

  it('is answered, or closes the socket: one text frame after the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 30 }), async (texts) => {
        const client = await ChatClient.connect(server.wsUrl, { token: server.token('fuzzer') });
        const before = client.frames.length;
        for (const text of texts) client.raw(text);
        // A command without an id is answered when it fails only.
        const silent = texts.filter((text) => isSilentPing(text)).length;
        let isClosed = false;
        void client.closed.then(() => (isClosed = true));
        const answers = () => client.frames.slice(before).filter(({ event }) => event === 'ack' || event === 'error').length;
        while (!isClosed && answers() < texts.length - silent) await new Promise((resolve) => setTimeout(resolve, 1));
        if (!isClosed) {
          expect(answers()).toBe(texts.length - silent);
          expect(await client.command('ping', {}, 999_999)).toHaveProperty('serverTime');
          await client.close();
        } else {
          expect((await client.closed).code).toBeGreaterThanOrEqual(1002);
        }
      }),
      { numRuns: 150, ...propertySeed() },
    );
    await serves();
  });

  it('may be no WebSocket frames at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const { port } = new URL(server.url);
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => {});
        socket.write(
          `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
            `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${server.token('raw')}\r\n\r\n`,
        );
        await once(socket, 'data');
        // What is left unfinished waits for more bytes: the end of the stream ends it.
        socket.end(bytes);
        await once(socket.resume(), 'close');
      }),
      { numRuns: 150, ...propertySeed() },
    );
    await serves();
  });
});

function isSilentPing(text: string): boolean {
  try {
    const { id, event, data } = JSON.parse(text) as { id?: unknown; event?: unknown; data?: unknown };
    const isEmpty =
      data === undefined || (typeof data === 'object' && data !== null && !Array.isArray(data) && Object.keys(data).length === 0);
    return event === 'ping' && id === undefined && isEmpty;
  } catch {
    return false;
  }
}
