import type { Message } from '../protocol/index.js';

/** Messages on both sides of a point of the log, each side from the point outwards, with at least one more than may be taken. */
export interface Surroundings {
  older: readonly Message[];
  newer: readonly Message[];
}

export interface PageBounds {
  /** From where the page may take; `both` takes in turn, so that the point is in the middle. */
  side: 'older' | 'newer' | 'both';
  items: number;
  bytes: number;
}

export interface MessagePage {
  /** Ascending by `seq`, without leaving out a message between the first and the last. */
  messages: Message[];
  hasBefore: boolean;
  hasAfter: boolean;
}

/** What surrounds the messages in an answer: names, numbers, the frame of an ack. */
export const ENVELOPE_BYTES = 512;

/** Takes the messages that are nearest to the point, until the page is full; but at least one, however long it is. */
export function takePage({ older, newer }: Surroundings, { side, items, bytes }: PageBounds): MessagePage {
  const canTake = { older: side === 'newer' ? 0 : older.length, newer: side === 'older' ? 0 : newer.length };
  const taken = { older: 0, newer: 0 };
  let left = bytes - ENVELOPE_BYTES;
  while (taken.older + taken.newer < items) {
    const preferNewer = taken.newer <= taken.older ? taken.newer < canTake.newer : taken.older >= canTake.older;
    const next = preferNewer ? newer[taken.newer] : taken.older < canTake.older ? older[taken.older] : undefined;
    if (next === undefined) break;
    left -= Buffer.byteLength(JSON.stringify(next)) + 1;
    if (left < 0 && taken.older + taken.newer > 0) break;
    taken[preferNewer ? 'newer' : 'older']++;
  }
  return {
    messages: [...older.slice(0, taken.older).reverse(), ...newer.slice(0, taken.newer)],
    hasBefore: taken.older < older.length,
    hasAfter: taken.newer < newer.length,
  };
}
