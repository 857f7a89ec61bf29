import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Writable } from 'node:stream';
import * as ws from 'ws';
import { propertySeed } from '../../test/support/seeded.js';
import { parseFrame, textFrame, textFramePieces } from './frames.js';

// Its types leave it out.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** What a client reads that gets these bytes: the texts, by the parser of `ws`, which refuses what RFC 6455 does. */
function read(bytes: Buffer): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const receiver = new Receiver({ isServer: false });
    const texts: string[] = [];
    receiver.on('message', (data: Buffer, isBinary: boolean) => texts.push(isBinary ? 'binary' : data.toString()));
    receiver.on('error', reject);
    receiver.on('finish', () => resolve(texts));
    receiver.end(bytes);
  });
}

describe('a text frame', () => {
  it.each([
    [0, '8100'],
    [1, '8101'],
    [125, '817d'],
    [126, '817e007e'],
    [127, '817e007f'],
    [65_535, '817effff'],
    [65_536, '817f0000000000010000'],
    [70_000, '817f0000000000011170'],
  ])('of %s bytes has the shortest head that RFC 6455 allows', async (length, head) => {
    const text = 'x'.repeat(length);
    const frame = textFrame(text);
    expect(frame.subarray(0, frame.length - length).toString('hex')).toBe(head);
    expect(await read(frame)).toEqual([text]);
  });

  it('counts bytes, not characters', async () => {
    const text = 'é'.repeat(63);
    expect(textFrame(text)[1]).toBe(126);
    expect(await read(textFrame(text))).toEqual([text]);
  });

  const written = fc.string({ unit: 'grapheme', maxLength: 200 });

  it('is read back as it was written, one behind the other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(written), async (texts) => {
        expect(await read(Buffer.concat(texts.map(textFrame)))).toEqual(texts);
      }),
      propertySeed(),
    );
  });

  it('in pieces is the same bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(written, written.map(Buffer.from))), (pieces) => {
        expect(Buffer.concat(textFramePieces(pieces))).toEqual(textFrame(pieces.map(String).join('')));
      }),
      propertySeed(),
    );
  });
});

describe('a frame of a client', () => {
  const ROOM = '0199C3A1-6F0E-7C7E-9D0C-3F1F5F0E8A11';

  it('is a command, with its room in lower case', () => {
    const text = JSON.stringify({ id: 7, event: 'room.join', data: { room: ROOM }, traceparent: '00-a-b-01' });
    expect(parseFrame(text)).toEqual({
      command: { id: 7, event: 'room.join', data: { room: ROOM.toLowerCase() }, traceparent: '00-a-b-01' },
    });
  });

  it('may leave out id and data, and have fields that are not known', () => {
    expect(parseFrame('{"event":"ping","later":1}')).toEqual({ command: { id: undefined, event: 'ping', data: {} } });
  });

  it.each([
    ['{"event":', undefined, 'bad_frame'],
    ['[]', undefined, 'bad_frame'],
    ['null', undefined, 'bad_frame'],
    ['{"id":0,"event":"ping"}', undefined, 'bad_frame'],
    ['{"id":9007199254740992,"event":"ping"}', undefined, 'bad_frame'],
    ['{"id":1,"event":7}', undefined, 'bad_frame'],
    ['{"id":1,"event":"nope"}', 1, 'unknown_event'],
    ['{"id":1,"event":"toString"}', 1, 'unknown_event'],
    ['{"id":1,"event":"ping","data":null}', 1, 'validation_failed'],
    ['{"id":1,"event":"ping","data":{"x":1}}', 1, 'validation_failed'],
  ])('%s is refused, to id %s, by %s', (text, id, code) => {
    const parsed = parseFrame(text);
    expect('problem' in parsed && [parsed.problem.id, parsed.problem.code]).toEqual([id, code]);
  });

  it('tells of twenty fields that are wrong, and of no more', () => {
    const data = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x${i}`, 1]));
    const parsed = parseFrame(JSON.stringify({ event: 'ping', data }));
    expect('problem' in parsed && parsed.problem.details).toHaveLength(20);
  });

  it('is a command or a problem, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(Object.keys(parseFrame(text))).toEqual([expect.stringMatching(/^(command|problem)$/)]);
      }),
      propertySeed(),
    );
  });
});
