import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { LogEvent } from '../bus/room-bus.js';
import type { ClosedReason } from '../protocol/index.js';
import { type FirstRead, type Follower, RoomStream, type Subscription } from './room-stream.js';

/** Takes down what it is sent: seqs from frames that are just a number, and the end. */
class Listener implements Follower {
  readonly heard: number[] = [];
  ended: ClosedReason | null = null;

  constructor(readonly userId: string) {}

  write(frames: Buffer): void {
    if (this.ended) throw new Error('written to after the end');
    this.heard.push(...frames.toString().trim().split(/ +/).map(Number));
  }

  deliver(): void {}

  endSubscription(_room: string, reason: ClosedReason): void {
    this.ended = reason;
  }
}

/** A log, and the stream that follows it: what the database would say, and what the bus happens to bring. */
class World {
  readonly log: LogEvent[] = [];
  left = 0;
  delivered = 0;
  readonly stream = new RoomStream('room', {
    dirty: () => {},
    gap: () => {},
    wrote: (_stream, batch, receivers) => (this.delivered += batch.length * receivers),
    wroteOne: () => this.delivered++,
    left: () => this.left++,
  });

  append(user: string, ends: ClosedReason | null): void {
    const seq = this.log.length + 1;
    this.log.push({ seq, event: ends ? 'member.left' : 'message.created', user, ends, frame: Buffer.from(`${seq} `) });
  }

  note(from: number, to: number): void {
    this.stream.take({ room: 'room', epoch: 'e', headSeq: to, events: this.log.slice(from - 1, to) });
  }

  fillGap(): void {
    while (this.stream.hasGap) this.note(this.stream.position! + 1, this.log.length);
  }
}

const USERS = ['ann', 'bob', 'cid'];
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('append' as const), user: fc.constantFrom(...USERS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kick' as const), user: fc.constantFrom(...USERS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('endOther' as const), late: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('note' as const), from: fc.nat(40), length: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), user: fc.constantFrom(...USERS) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('live' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'fill' as const }) },
);

interface Opening {
  listener: Listener;
  subscription: Subscription;
  /** The head that its first read saw; null before the read. */
  head: number | null;
  isLive: boolean;
}

function run(steps: (typeof step extends fc.Arbitrary<infer S> ? S : never)[]): { world: World; openings: Opening[] } {
  const world = new World();
  const openings: Opening[] = [];
  for (const action of steps) {
    switch (action.kind) {
      case 'append':
        world.append(action.user, null);
        break;
      case 'kick':
        world.append(action.user, 'kicked');
        break;
      case 'endOther':
        // Of somebody who is not there: nobody may notice, however late it is told.
        world.stream.endSilently('eve', 'left', Math.max(0, world.log.length - action.late), '1');
        break;
      case 'note':
        if (action.from < world.log.length) world.note(action.from + 1, Math.min(action.from + 1 + action.length, world.log.length));
        break;
      case 'open': {
        const listener = new Listener(action.user);
        openings.push({ listener, subscription: world.stream.open(listener), head: null, isLive: false });
        break;
      }
      case 'read': {
        const unread = openings.filter(({ head }) => head === null);
        if (unread.length > 0) unread[action.which % unread.length]!.head = world.log.length;
        break;
      }
      case 'live': {
        const ready = openings.filter(({ head, isLive }) => head !== null && !isLive);
        if (ready.length > 0) goLive(world, ready[action.which % ready.length]!);
        break;
      }
      case 'flush':
        world.stream.flush();
        break;
      case 'fill':
        world.fillGap();
        break;
    }
  }
  return { world, openings };
}

/** By default of before any transaction. */
function firstRead(headSeq: number, snapshot = '1:1:'): FirstRead {
  return { epoch: 'e', headSeq, snapshot };
}

function goLive(world: World, opening: Opening): void {
  opening.isLive = true;
  world.stream.goLive(opening.subscription, firstRead(opening.head!));
}

/** What a listener whose first read saw `head` must hear in the end. */
function expected(world: World, { listener, head }: Opening): { heard: number[]; ended: ClosedReason | null } {
  const end = world.log.find((event) => event.seq > head! && event.ends && event.user === listener.userId);
  const last = end ? end.seq : world.log.length;
  return { heard: world.log.slice(head!, last).map(({ seq }) => seq), ended: end ? 'kicked' : null };
}

describe('RoomStream', () => {
  it('gives each subscription every event behind its head once, in order, up to the end of its access', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { world, openings } = run(steps);
        // The changes feed tells of the head in the end, whatever was lost.
        for (const opening of openings) opening.head ??= world.log.length;
        for (const opening of openings) if (!opening.isLive) goLive(world, opening);
        world.stream.learnHead(world.log.length);
        world.fillGap();
        world.stream.flush();
        for (const opening of openings) {
          expect({ heard: opening.listener.heard, ended: opening.listener.ended }).toEqual(expected(world, opening));
        }
        expect(world.left).toBe(openings.filter(({ listener }) => listener.ended).length);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never writes ahead of a gap', () => {
    const world = new World();
    for (let i = 0; i < 3; i++) world.append('ann', null);
    const listener = new Listener('bob');
    world.stream.goLive(world.stream.open(listener), firstRead(0));
    world.note(3, 3);
    world.stream.flush();
    expect(listener.heard).toEqual([]);
    expect(world.stream.hasGap).toBe(true);
    world.note(1, 2);
    world.stream.flush();
    expect(listener.heard).toEqual([1, 2, 3]);
  });

  it('gives all in the end when more came ahead than it keeps', () => {
    const world = new World();
    const listener = new Listener('bob');
    world.stream.goLive(world.stream.open(listener), firstRead(0));
    for (let seq = 1; seq <= 300; seq++) world.append('ann', null);
    for (const event of world.log) event.frame = Buffer.from(`${event.seq} `.padEnd(10_000));
    for (let seq = 300; seq > 1; seq--) world.note(seq, seq);
    world.note(1, 1);
    world.stream.flush();
    expect(listener.heard.length).toBeLessThan(150);
    expect(world.stream.hasGap).toBe(true);
    world.fillGap();
    world.stream.flush();
    expect(listener.heard).toEqual(world.log.map(({ seq }) => seq));
  });

  it('replaces an older subscription of the same follower from when the newer is live', () => {
    const world = new World();
    const listener = new Listener('ann');
    world.stream.goLive(world.stream.open(listener), firstRead(0));
    world.append('bob', null);
    const second = world.stream.open(listener);
    world.note(1, 1);
    world.stream.flush();
    world.stream.goLive(second, firstRead(1));
    world.append('bob', null);
    world.note(2, 2);
    world.stream.flush();
    expect(listener.heard).toEqual([1, 2]);
    expect(world.stream.size).toBe(1);
  });

  it('ends access without an event at the place it is told', () => {
    const world = new World();
    const [ann, bob] = [new Listener('ann'), new Listener('bob')];
    for (const listener of [ann, bob]) world.stream.goLive(world.stream.open(listener), firstRead(0));
    world.append('bob', null);
    world.stream.endSilently('ann', 'left', 1, '1');
    world.append('bob', null);
    world.note(2, 2);
    world.note(1, 1);
    world.stream.flush();
    expect({ heard: ann.heard, ended: ann.ended }).toEqual({ heard: [1], ended: 'left' });
    expect({ heard: bob.heard, ended: bob.ended }).toEqual({ heard: [1, 2], ended: null });
  });

  it('leaves alone who began to follow after an end that is told late, also at the same head', () => {
    const world = new World();
    const [before, after] = [new Listener('ann'), new Listener('ann')];
    world.stream.goLive(world.stream.open(before), firstRead(0, '7:7:'));
    world.stream.goLive(world.stream.open(after), firstRead(0, '8:8:'));
    world.stream.endSilently('ann', 'left', 0, '7');
    world.stream.flush();
    expect([before.ended, after.ended]).toEqual(['left', null]);
  });

  it('ends every live subscription when the epoch changes', () => {
    const world = new World();
    const listener = new Listener('ann');
    world.stream.goLive(world.stream.open(listener), firstRead(5));
    world.stream.take({ room: 'room', epoch: 'f', headSeq: 3, events: [] });
    expect(listener.ended).toBe('reset');
    expect(world.stream.size).toBe(0);
  });
});
