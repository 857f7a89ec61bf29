import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Answer, BusListener, LogEvent, Question, RecordedAct, RoomBus, RoomNote, Signal } from '../../src/bus/room-bus.js';
import { textFrame } from '../../src/protocol/index.js';
import { until } from '../support/until.js';

export interface BusPair {
  here: RoomBus;
  /** Of another instance; of the same one, where a bus knows no other. */
  there: RoomBus;
  close(): Promise<void>;
}

/** What one bus has told, in order. */
export class Ear {
  readonly notes: RoomNote[] = [];
  readonly signals: Signal[] = [];
  readonly acts: RecordedAct[] = [];
  readonly questions: Question[] = [];
  readonly answers: Answer[] = [];
  readonly stop: () => void;

  constructor(bus: RoomBus) {
    const listener: BusListener = {
      onNote: (note) => this.notes.push(note),
      onSignal: (signal) => this.signals.push(signal),
      onAct: (act) => this.acts.push(act),
      onQuestion: (question) => this.questions.push(question),
      onAnswer: (answer) => this.answers.push(answer),
    };
    this.stop = bus.listen(listener);
  }

  heads(room: string): number[] {
    return this.notes.filter((note) => note.room === room).map(({ headSeq }) => headSeq);
  }
}

export function logEvent(seq: number, text = `message ${seq} ü`): LogEvent {
  return { seq, event: 'message.created', user: 'ann ü', ends: null, frame: textFrame(JSON.stringify({ seq, text })) };
}

export function noteOf(room: string, ...events: LogEvent[]): RoomNote {
  return { room, epoch: 'e1', headSeq: events.at(-1)!.seq, events };
}

const act = (): RecordedAct => ({ id: randomUUID(), xid: '774', act: { kind: 'session.revoked', session: 's1', user: 'ann' } });

/**
 * What every RoomBus must do, whatever joins the instances.
 * @param large how a note over 256 KiB arrives: as it is, or without its events
 */
export function describeRoomBus(name: string, large: 'whole' | 'head', makePair: () => Promise<BusPair>): void {
  describe(`room bus: ${name}`, () => {
    let pair: BusPair;
    let mine: Ear;
    let theirs: Ear;
    let room: string;

    beforeAll(async () => {
      pair = await makePair();
      await until(() => pair.here.health().status === 'up' && pair.there.health().status === 'up', 'both are joined');
    });
    afterAll(() => pair.close());
    beforeEach(() => {
      room = randomUUID();
      mine = new Ear(pair.here);
      theirs = new Ear(pair.there);
    });
    afterEach(() => {
      mine.stop();
      theirs.stop();
    });

    /** Resolves when the other instance has told all that this one published about the room before. */
    async function arrived(): Promise<void> {
      const last = noteOf(room, logEvent(1_000_000));
      pair.here.publishNote(last);
      await until(() => theirs.heads(room).includes(last.headSeq), 'the last note has come');
    }

    it('brings a note as it was published', async () => {
      await pair.there.follow(room);
      const kick: LogEvent = { seq: 8, event: 'member.left', user: 'bob', ends: 'kicked', frame: Buffer.from([0x81, 0]) };
      const close: LogEvent = { seq: 9, event: 'room.deleted', user: null, ends: 'deleted', frame: textFrame('{}') };
      const note = noteOf(room, logEvent(7), kick, close);
      pair.here.publishNote(note);
      await until(() => theirs.notes.length > 0, 'the note has come');
      expect(theirs.notes).toEqual([note]);
    });

    it('brings along where an event came from, when that is traced', async () => {
      await pair.there.follow(room);
      const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
      const traced: LogEvent = { ...logEvent(8), trace: { traceparent, since: performance.now() } };
      for (const note of [noteOf(room, logEvent(7), traced), noteOf(room, logEvent(9))]) pair.here.publishNote(note);
      await until(() => theirs.notes.length === 2, 'both notes have come');
      const came = { ...traced, trace: { traceparent, since: expect.any(Number) as unknown as number } };
      expect(theirs.notes).toEqual([noteOf(room, logEvent(7), came), noteOf(room, logEvent(9))]);
    });

    it('brings a note that tells of no event', async () => {
      await pair.there.follow(room);
      const note: RoomNote = { room, epoch: '', headSeq: 2 ** 40, events: [] };
      pair.here.publishNote(note);
      await until(() => theirs.notes.length > 0, 'the note has come');
      expect(theirs.notes).toEqual([note]);
    });

    it(`brings a large note: ${large}`, async () => {
      await pair.there.follow(room);
      const note = noteOf(room, ...Array.from({ length: 30 }, (_, index) => logEvent(index + 1, 'x'.repeat(10_000))));
      pair.here.publishNote(note);
      await until(() => theirs.notes.length > 0, 'the note has come');
      expect(theirs.notes).toEqual([large === 'whole' ? note : { ...note, events: [] }]);
    });

    it('brings signals of a room, of a user and of everybody', async () => {
      await pair.there.follow(room);
      const frame = textFrame('{"event":"typing"}');
      const signals: Signal[] = [
        { audience: { kind: 'room', room }, frame, key: 'a' },
        { audience: { kind: 'room', room, exceptUser: 'ann 😀' }, frame, key: 'b' },
        { audience: { kind: 'user', user: 'bob' }, frame, key: '' },
        { audience: { kind: 'everybody' }, frame: Buffer.alloc(0), key: 'd' },
        { audience: { kind: 'room', room }, frame, key: 'e', source: 'c_1', lapse: { afterMs: 6_000, frame: textFrame('{}') } },
      ];
      for (const signal of signals) pair.here.publishSignal(signal);
      await until(() => theirs.signals.length === signals.length, 'all signals have come');
      expect(theirs.signals).toEqual(expect.arrayContaining(signals));
    });

    it('brings acts to every instance, whatever it follows', async () => {
      const recorded = act();
      pair.here.publishAct(recorded);
      await until(() => theirs.acts.length > 0, 'the act has come');
      expect(theirs.acts).toEqual([recorded]);
    });

    it('brings a question to every instance, and an answer back', async () => {
      const question = { id: randomUUID(), kind: 'connections', ask: { user: 'ann ü' } };
      const answer = { question: question.id, instance: randomUUID(), answer: { total: 1 } };
      pair.here.publishQuestion(question);
      expect(mine.questions).toEqual([question]);
      await until(() => theirs.questions.length > 0, 'the question has come');
      pair.there.publishAnswer(answer);
      await until(() => mine.answers.length > 0, 'the answer has come');
      expect([theirs.questions, mine.questions, mine.answers]).toEqual([[question], [question], [answer]]);
    });

    it('keeps the order in which one instance publishes about a room', async () => {
      await pair.there.follow(room);
      const frame = textFrame('{}');
      const count = 500;
      for (let seq = 1; seq <= count; seq++) {
        pair.here.publishNote(noteOf(room, logEvent(seq)));
        pair.here.publishSignal({ audience: { kind: 'room', room }, frame, key: String(seq) });
        if (seq % 100 === 0) await new Promise(setImmediate);
      }
      await arrived();
      const upTo = Array.from({ length: count }, (_, index) => index + 1);
      expect(theirs.heads(room).slice(0, -1)).toEqual(upTo);
      expect(theirs.signals.map(({ key }) => Number(key))).toEqual(upTo);
    });

    it('tells its own listeners at once, and once', async () => {
      await pair.here.follow(room);
      await pair.there.follow(room);
      pair.here.publishNote(noteOf(room, logEvent(1)));
      expect(mine.heads(room)).toEqual([1]);
      pair.here.publishSignal({ audience: { kind: 'everybody' }, frame: Buffer.alloc(0), key: '' });
      expect(mine.signals).toHaveLength(1);
      const recorded = act();
      pair.here.publishAct(recorded);
      expect(mine.acts).toEqual([recorded]);
      await arrived();
      await until(() => theirs.acts.length > 0 && theirs.signals.length > 0, 'the others heard it');
      pair.there.publishNote(noteOf(room, logEvent(2_000_000)));
      await until(() => mine.heads(room).includes(2_000_000), 'it hears the others');
      expect(mine.heads(room)).toEqual([1, 1_000_000, 2_000_000]);
      expect([mine.signals.length, mine.acts.length]).toEqual([1, 1]);
    });

    it('hears a room as long as one of its followers is left', async () => {
      await Promise.all([pair.there.follow(room), pair.there.follow(room), pair.there.follow(room)]);
      pair.there.unfollow(room);
      pair.there.unfollow(room);
      await arrived();
      pair.there.unfollow(room);
      await pair.there.follow(room);
      pair.here.publishNote(noteOf(room, logEvent(3)));
      await until(() => theirs.heads(room).includes(3), 'the note has come');
    });

    it('takes an unfollow too many as none', async () => {
      pair.there.unfollow(room);
      await pair.there.follow(room);
      await arrived();
    });

    it('is not harmed by a listener that throws', async () => {
      const stop = pair.there.listen({
        onNote: () => {
          throw new Error('a fault of the listener');
        },
      });
      const later = new Ear(pair.there);
      await pair.there.follow(room);
      await arrived();
      expect(later.heads(room)).toEqual([1_000_000]);
      stop();
      later.stop();
    });

    it('tells a listener that has gone nothing more', async () => {
      const gone = new Ear(pair.there);
      gone.stop();
      await pair.there.follow(room);
      await arrived();
      expect(gone.notes).toEqual([]);
    });
  });
}
