import { describe, expect, it } from '@jest/globals';
import type { Message } from '../../src/protocol/index.js';
import type { Frame } from '../support/chat-client.js';
import type { Following } from '../support/followed-room.js';
import { judge, type RoomRecord, type Send, type Trail } from './oracle.js';

const ROOM = 'r1';
const at = (seq: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString();

function message(seq: number): Message {
  return { seq, lastSeq: seq, sender: 'ann', clientId: `c${seq}`, text: `text ${seq}` } as Message;
}

function created(seq: number): Frame {
  return { event: 'message.created', room: ROOM, seq, at: at(seq), data: message(seq) };
}

/** A run in which all is well: five messages of Ann's over one connection, and Ben who was away between the second and the fourth. */
class Run {
  room: RoomRecord = {
    room: ROOM,
    isPrivate: true,
    first: new Map([
      ['ann', 'owner'],
      ['ben', 'member'],
    ]),
    headSeq: 5,
    events: [1, 2, 3, 4, 5].map(created),
    messages: [1, 2, 3, 4, 5].map(message),
  };
  sends: Send[] = [1, 2, 3, 4, 5].map((seq) => ({
    room: ROOM,
    sender: 'ann',
    clientId: `c${seq}`,
    attempts: [{ connection: 'a', order: seq, outcome: 'acked', seq, duplicate: false }],
  }));
  followings: Following[] = [
    { room: ROOM, user: 'ben', since: null, ack: ack(0, true), live: [1, 2].map(created), end: 'cut' },
    { room: ROOM, user: 'ben', since: 2, ack: ack(4, true, [3, 4]), live: [created(5)], end: 'open' },
  ];
  copy: Message[] | undefined = [1, 2, 3, 4, 5].map(message);

  harms(): string[] {
    const trail: Trail = { viewer: 'ben', room: ROOM, followings: this.followings, copy: this.copy };
    return [...new Set(judge([this.room], this.sends, [trail]).problems.map(({ harm }) => harm))];
  }
}

function ack(headSeq: number, recovered: boolean, seqs: number[] = []): Following['ack'] {
  return { headSeq, role: 'member', recovered: seqs.length > 0 && recovered, events: seqs.map(created) };
}

/** What is done to a run, and the harm that must be found. */
const FAULTS: [string, string[], (run: Run) => void][] = [
  ['nothing', [], () => {}],
  ['an acked message missing in the log', ['lost'], (run) => cutLog(run, 5)],
  [
    'a hole in the log',
    ['lost', 'wrong'],
    (run) => void (run.room = { ...run.room, events: run.room.events.filter(({ seq }) => seq !== 3) }),
  ],
  ['a seq twice in the log', ['doubled', 'wrong'], (run) => void (run.room = { ...run.room, events: [...run.room.events, created(5)] })],
  ['a clientId twice', ['doubled', 'lost', 'wrong'], (run) => (run.room.events[4]!.data = { ...message(5), clientId: 'c1' })],
  [
    'events swapped in the log',
    ['lost', 'out of order', 'wrong'],
    (run) => void (run.room = { ...run.room, events: swapped(run.room.events, 1) }),
  ],
  ['a time that goes back', ['out of order'], (run) => void ((run.followings = []), (run.room.events[3]!.at = at(1)))],
  ['a message missing in the history', ['lost', 'wrong'], (run) => void (run.room = { ...run.room, messages: run.room.messages.slice(1) })],
  ['a failed send that is there', ['wrong'], (run) => (run.sends[1]!.attempts[0]!.outcome = 'failed')],
  ['an unknown send that is there', [], (run) => (run.sends[1]!.attempts[0]!.outcome = 'unknown')],
  ['a message of nobody', ['wrong'], (run) => void run.sends.pop()],
  ['an ack of another seq', ['wrong', 'out of order'], (run) => (run.sends[1]!.attempts[0]!.seq = 1)],
  ['sends numbered in another order', ['out of order'], (run) => (run.sends[1]!.attempts[0]!.order = 9)],
  ['an event not heard', ['lost'], (run) => void run.followings[0]!.live.shift()],
  ['an event heard twice', ['doubled'], (run) => void run.followings[1]!.live.push(created(5))],
  ['events heard in another order', ['lost', 'out of order'], (run) => void run.followings[0]!.live.reverse()],
  ['an event not replayed', ['lost'], (run) => void run.followings[1]!.ack.events.pop()],
  ['an event heard again by replay', ['doubled'], (run) => void run.followings[1]!.ack.events.unshift(created(2))],
  ['the last event not heard', ['lost'], (run) => void run.followings[1]!.live.pop()],
  ['another event heard', ['wrong'], (run) => (run.followings[1]!.live[0]!.event = 'message.deleted')],
  ['an older message in the copy', ['wrong'], (run) => (run.copy![2]!.text = 'former')],
  ['an event past the end of access', ['wrong'], pastTheEnd],
];

function cutLog(run: Run, seq: number): void {
  run.room = { ...run.room, headSeq: seq - 1, events: run.room.events.slice(0, -1), messages: run.room.messages.slice(0, -1) };
  run.followings = [];
  run.copy = undefined;
}

function swapped(events: readonly Frame[], index: number): Frame[] {
  const [one, other] = [events[index]!, events[index + 1]!];
  return [...events.slice(0, index), { ...other, at: one.at }, { ...one, at: other.at }, ...events.slice(index + 2)];
}

function pastTheEnd(run: Run): void {
  const left: Frame = { event: 'member.left', room: ROOM, seq: 4, at: at(4), data: { user: 'ben', role: null, by: 'ann' } };
  run.room = { ...run.room, events: run.room.events.with(3, left), messages: run.room.messages.filter(({ seq }) => seq !== 4) };
  run.sends.splice(3, 1);
  const heard = [1, 2, 3].map(created);
  run.followings = [{ room: ROOM, user: 'ben', since: null, ack: ack(0, true), live: [...heard, left, created(5)], end: 'open' }];
  run.copy = undefined;
}

describe('the oracle', () => {
  it.each(FAULTS)('finds %s: %j', (_, harms, hurt) => {
    const run = new Run();
    hurt(run);
    expect(run.harms().sort()).toEqual([...harms].sort());
  });

  it('counts what was acked, and what was stored without an ack', () => {
    const run = new Run();
    run.sends[1]!.attempts[0]!.outcome = 'unknown';
    run.sends[2]!.attempts.unshift({ connection: 'a', order: 2.5, outcome: 'unknown' });
    run.sends[2]!.attempts[1]!.duplicate = true;
    expect(judge([run.room], run.sends, [])).toEqual({ acked: 4, unknownStored: 2, problems: [] });
  });
});
