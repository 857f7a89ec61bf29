import { LRUCache } from 'lru-cache';
import type { NoteTraces } from './bus-codec.js';
import type { RoomNote } from './room-bus.js';

/** Traces whose notes have not come, at most: each note is published right behind its traces, but hints are lost. */
const MAX_HELD = 1_000;

/** Keeps the traces that came over the bus until their note comes. They find each other by the room and the head's seq, which no other note has. */
export class HeldTraces {
  readonly #held = new LRUCache<string, NoteTraces>({ max: MAX_HELD });

  hold(room: string, traces: NoteTraces): void {
    this.#held.set(keyOf(room, traces.headSeq), traces);
  }

  /** @returns the note, its events with their traces where they are known */
  joined(note: RoomNote): RoomNote {
    const key = keyOf(note.room, note.headSeq);
    const held = this.#held.get(key);
    if (!held) return note;
    this.#held.delete(key);
    const traceparents = new Map(held.traceparents);
    const since = performance.now();
    const events = note.events.map((event) => {
      const traceparent = traceparents.get(event.seq);
      return traceparent === undefined ? event : { ...event, trace: { traceparent, since } };
    });
    return { ...note, events };
  }
}

function keyOf(room: string, headSeq: number): string {
  return `${room} ${headSeq}`;
}
