import { beforeEach, describe, expect, it } from '@jest/globals';
import { HeldTraces } from './held-traces.js';
import type { LogEvent, RoomNote } from './room-bus.js';

const event = (seq: number): LogEvent => ({ seq, event: 'message.created', user: 'u', ends: null, frame: Buffer.alloc(1) });
const note = (room: string, ...seqs: number[]): RoomNote => ({ room, epoch: 'e', headSeq: seqs.at(-1)!, events: seqs.map(event) });
const traceparents = ({ events }: RoomNote) => events.map(({ trace }) => trace?.traceparent);

describe('traces ahead of their notes', () => {
  let held: HeldTraces;
  beforeEach(() => {
    held = new HeldTraces();
  });

  it('join the events that they are of, and no others', () => {
    held.hold('r', { headSeq: 9, traceparents: [[8, 'eight']] });
    expect(traceparents(held.joined(note('r', 7, 8, 9)))).toEqual([undefined, 'eight', undefined]);
  });

  it('wait for their own note, whatever comes in between from others', () => {
    held.hold('r', { headSeq: 9, traceparents: [[9, 'nine']] });
    held.hold('r', { headSeq: 10, traceparents: [[10, 'ten']] });
    for (const other of [note('s', 9), note('r', 8), note('r', 11)]) expect(held.joined(other)).toBe(other);
    expect(traceparents(held.joined(note('r', 10)))).toEqual(['ten']);
    expect(traceparents(held.joined(note('r', 9)))).toEqual(['nine']);
  });

  it('join once, and a note without events is left as it is', () => {
    held.hold('r', { headSeq: 9, traceparents: [[9, 'nine']] });
    held.joined(note('r', 9));
    expect(traceparents(held.joined(note('r', 9)))).toEqual([undefined]);
    held.hold('r', { headSeq: 10, traceparents: [[10, 'ten']] });
    expect(held.joined({ ...note('r', 10), events: [] }).events).toEqual([]);
  });

  it('are forgotten, the oldest first, when their notes never come', () => {
    for (let headSeq = 1; headSeq <= 1_001; headSeq++) held.hold('r', { headSeq, traceparents: [[headSeq, 'x']] });
    expect(traceparents(held.joined(note('r', 1)))).toEqual([undefined]);
    expect(traceparents(held.joined(note('r', 2)))).toEqual(['x']);
  });
});
