import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChatServer } from '../support/chat-server.js';
import { maskedFrame, OPCODES, RawSocket } from '../support/raw-socket.js';
import { propertySeed } from '../support/seeded.js';

/** What a socket may be closed with for its bytes; 1000, 1001 and 1005 answer a close of the client's own. */
const CODES = new Set([1000, 1001, 1002, 1003, 1005, 1007, 1009, 4013, 4200]);

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  fc.constant(Buffer.from('{"id":1,"event":"ping"}')),
  fc.constantFrom(65_535, 65_536, 65_537).map((size) => Buffer.alloc(size, 'x')),
);
const frame = fc
  .record({ opcode: fc.nat(15), isFinal: fc.boolean(), payload })
  .map(({ opcode, isFinal, payload }) => maskedFrame(opcode, payload, isFinal));
/** A frame that is a bit wrong: reserved bits, no mask, another length, cut off. */
const spoiled = fc.tuple(frame, fc.nat(13), fc.nat(255)).map(([bytes, at, value]) => {
  const copy = Buffer.from(bytes);
  copy[at % copy.length] = value;
  return copy;
});
const stream = fc.array(
  fc.oneof(
    frame,
    spoiled,
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  ),
  {
    minLength: 1,
    maxLength: 6,
  },
);

describe('bytes on an open socket', () => {
  let server: ChatServer;
  beforeAll(async () => {
    server = await ChatServer.start();
  });
  afterAll(() => server.close());

  it('get whole frames for answers or a close code of ours, in whatever pieces they come, and others are served', async () => {
    const witness = await server.connect('witness');
    const room = await server.room('witness', 'private');
    let sent = 0;
    const closes = new Set<number>();
    await fc.assert(
      fc.asyncProperty(stream, fc.nat(), async (parts, cut) => {
        const raw = await RawSocket.open(server.wsUrl, server.test.token('raw'));
        const bytes = Buffer.concat(parts);
        const middle = cut % bytes.length;
        raw.socket.write(bytes.subarray(0, middle));
        raw.socket.end(bytes.subarray(middle));
        await raw.closed;
        for (const { opcode, payload } of raw.frames) {
          expect([OPCODES.text, OPCODES.close, OPCODES.pong]).toContain(opcode);
          if (opcode === OPCODES.text)
            expect(['hello', 'ack', 'error']).toContain((JSON.parse(payload.toString()) as { event: string }).event);
        }
        const close = raw.frames.findIndex(({ opcode }) => opcode === OPCODES.close);
        if (close < 0) return;
        expect(close).toBe(raw.frames.length - 1);
        const code = raw.frames[close]!.payload.length >= 2 ? raw.closeCode! : 1005;
        closes.add(code);
        // A close of the client's own is answered by its own code.
        const isEcho = code >= 1000 && bytes.includes(OPCODES.close | 0x80);
        expect(CODES.has(code) || isEcho).toBe(true);
        expect(await witness.command('message.send', { room, clientId: `c${++sent}`, text: 'alive' })).toMatchObject({ seq: sent });
      }),
      { numRuns: 300, ...propertySeed() },
    );
    // Else the bytes were too tame to show anything.
    for (const code of [1002, 1003]) expect(closes).toContain(code);
    const fresh = await server.connect('fresh');
    expect(await fresh.command('ping')).toHaveProperty('serverTime');
  });
});
