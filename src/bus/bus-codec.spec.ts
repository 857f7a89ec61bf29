import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import {
  decode,
  encodeAct,
  encodeAnswer,
  encodeNote,
  encodeQuestion,
  encodeSignal,
  encodeTraces,
  isFrom,
  MAX_NOTE_BYTES,
  originOf,
} from './bus-codec.js';
import type { LogEvent, RecordedAct, RoomNote, Signal } from './room-bus.js';

const origin = originOf(randomUUID());
const user = fc.string({ unit: 'grapheme', maxLength: 60 });
const frame = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

const note: fc.Arbitrary<RoomNote> = fc
  .record({
    epoch: fc.string({ maxLength: 20 }),
    firstSeq: fc.nat(2 ** 31),
    events: fc.array(
      fc.record({
        event: fc.constantFrom('message.created' as const, 'member.left' as const),
        user: fc.option(user),
        ends: fc.option(fc.constantFrom('left' as const, 'kicked' as const)),
        frame,
      }),
      { maxLength: 20 },
    ),
  })
  .map(({ epoch, firstSeq, events }) => {
    const numbered = events.map((event, index): LogEvent => ({ seq: firstSeq + 1 + index, ...event }));
    return { room: 'r', epoch, headSeq: firstSeq + events.length, events: numbered };
  });

const signal: fc.Arbitrary<Signal> = fc.record(
  {
    audience: fc.oneof(
      fc.record({ kind: fc.constant('user' as const), user }),
      fc.record({ kind: fc.constant('everybody' as const) }),
      fc.record({ kind: fc.constant('room' as const), room: fc.constant('r'), exceptUser: user }),
    ),
    frame,
    key: user,
    source: fc.string({ minLength: 1, maxLength: 40 }),
    lapse: fc.record({ afterMs: fc.integer({ min: 1, max: 60_000 }), frame }),
  },
  { requiredKeys: ['audience', 'frame', 'key'] },
);

const act: RecordedAct = { id: 'a', xid: '7', act: { kind: 'session.revoked', session: 's', user: 'u' } };

describe('bus codec', () => {
  it('reads a note as it was written', () => {
    fc.assert(
      fc.property(note, ({ room: _room, ...rest }) => {
        expect(decode(encodeNote(origin, { room: 'r', ...rest }))).toEqual({ kind: 'note', note: rest });
      }),
    );
  });

  it('reads a signal as it was written', () => {
    fc.assert(
      fc.property(signal, ({ audience, ...rest }) => {
        const about = audience.kind === 'user' ? audience.user : audience.kind === 'room' ? audience.exceptUser : null;
        const decoded = decode(encodeSignal(origin, { audience, ...rest }));
        expect(decoded).toEqual({ kind: 'signal', audience: audience.kind, user: about, signal: rest });
      }),
    );
  });

  it('reads an act as it was written', () => {
    expect(decode(encodeAct(origin, act))).toEqual({ kind: 'act', recorded: act });
  });

  it('reads a question and an answer as they were written', () => {
    const question = { id: 'q', kind: 'connections', ask: { user: 'ann 😀' } };
    expect(decode(encodeQuestion(origin, question))).toEqual({ kind: 'question', question });
    const answer = { question: 'q', instance: 'i', answer: { total: 0 } };
    expect(decode(encodeAnswer(origin, answer))).toEqual({ kind: 'answer', answer });
    expect(decode(encodeQuestion(origin, { id: 'q', kind: 'connections', ask: undefined }))).toBeNull();
    expect(decode(encodeAnswer(origin, { ...answer, instance: 7 as unknown as string }))).toBeNull();
  });

  it('reads traces as they were written, and takes nothing else for some', () => {
    const traces = { headSeq: 9, traceparents: [[8, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']] as [number, string][] };
    const message = encodeTraces(origin, traces);
    expect(decode(message)).toEqual({ kind: 'traces', traces });
    for (const wrong of [
      {},
      { headSeq: 9 },
      { ...traces, headSeq: '9' },
      { headSeq: 9, traceparents: [[8]] },
      { headSeq: 9, traceparents: [8] },
    ]) {
      expect(decode(Buffer.concat([message.subarray(0, 18), Buffer.from(JSON.stringify(wrong))]))).toBeNull();
    }
  });

  it('takes a kind that it does not know for nothing, as a release did that knew no traces', () => {
    const message = encodeAct(origin, act);
    for (const kind of [0, 7, 255]) {
      message[1] = kind;
      expect(decode(message)).toBeNull();
    }
  });

  it('knows whose a message is', () => {
    const message = encodeAct(origin, act);
    expect(isFrom(message, origin)).toBe(true);
    expect(isFrom(message, originOf(randomUUID()))).toBe(false);
    expect(isFrom(Buffer.alloc(3), origin)).toBe(false);
  });

  it('leaves out the events of a note that is too large, or that has a gap', () => {
    const large: LogEvent = { seq: 4, event: 'message.created', user: 'u', ends: null, frame: Buffer.alloc(MAX_NOTE_BYTES) };
    const small: LogEvent = { ...large, frame: Buffer.alloc(1) };
    for (const events of [[large], [small, { ...small, seq: 6 }]]) {
      const decoded = decode(encodeNote(origin, { room: 'r', epoch: 'e', headSeq: events.at(-1)!.seq, events }));
      expect(decoded).toEqual({ kind: 'note', note: { epoch: 'e', headSeq: events.at(-1)!.seq, events: [] } });
    }
  });

  it('takes no part of a message for the whole', () => {
    const event: LogEvent = { seq: 4, event: 'message.created', user: 'u', ends: null, frame: Buffer.alloc(9) };
    const whole = encodeNote(origin, { room: 'r', epoch: 'e', headSeq: 4, events: [event] });
    for (let length = 0; length < whole.length; length++) expect(decode(whole.subarray(0, length))).toBeNull();
    expect(decode(Buffer.concat([whole, Buffer.alloc(1)]))).toBeNull();
  });

  it('never throws, whatever the bytes', () => {
    const head = fc.constantFrom(1, 2, 3, 4, 5, 6).map((kind) => Buffer.concat([Buffer.from([1, kind]), origin]));
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(fc.oneof(bytes, fc.tuple(head, bytes).map(Buffer.concat)), (message) => {
        decode(Buffer.from(message));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(['', 'null', '[]', '{}', '{"id":1,"xid":"7","act":{"kind":"x"}}', '{"id":"a","xid":"7","act":{}}', '{"id":"a"'])(
    'takes no act from %j',
    (json) => {
      expect(decode(Buffer.concat([encodeAct(origin, act).subarray(0, 18), Buffer.from(json)]))).toBeNull();
    },
  );
});
