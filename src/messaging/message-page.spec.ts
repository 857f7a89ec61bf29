import { describe, expect, it } from '@jest/globals';
import type { Message } from '../protocol/index.js';
import { takePage } from './message-page.js';

const message = (seq: number, text = 'hi'): Message => ({
  seq,
  lastSeq: seq,
  sender: 'ada',
  clientId: `c${seq}`,
  text,
  meta: {},
  version: 1,
  createdAt: '2026-11-24T12:00:00.000Z',
  editedAt: null,
  deletedAt: null,
});
const older = [5, 4, 3, 2, 1].map((seq) => message(seq));
const newer = [6, 7, 8, 9].map((seq) => message(seq));
const take = (side: 'older' | 'newer' | 'both', items: number, surroundings = { older, newer }, bytes = 100_000) => {
  const { messages, hasBefore, hasAfter } = takePage(surroundings, { side, items, bytes });
  return [messages.map(({ seq }) => seq), hasBefore, hasAfter];
};

describe('takePage', () => {
  it('takes one side, and sees whether there is more on either', () => {
    expect(take('older', 3)).toEqual([[3, 4, 5], true, true]);
    expect(take('older', 5)).toEqual([[1, 2, 3, 4, 5], false, true]);
    expect(take('newer', 3)).toEqual([[6, 7, 8], true, true]);
    expect(take('newer', 9)).toEqual([[6, 7, 8, 9], true, false]);
    expect(take('older', 3, { older: [], newer: [] })).toEqual([[], false, false]);
    expect(take('older', 3, { older: [], newer })).toEqual([[], false, true]);
  });

  it('takes around the point in turn, the point first, and fills up from the longer side', () => {
    expect(take('both', 1)).toEqual([[6], true, true]);
    expect(take('both', 2)).toEqual([[5, 6], true, true]);
    expect(take('both', 5)).toEqual([[4, 5, 6, 7, 8], true, true]);
    expect(take('both', 9)).toEqual([[1, 2, 3, 4, 5, 6, 7, 8, 9], false, false]);
    expect(take('both', 4, { older: [], newer })).toEqual([[6, 7, 8, 9], false, false]);
    expect(take('both', 4, { older, newer: newer.slice(0, 1) })).toEqual([[3, 4, 5, 6], true, false]);
    expect(take('both', 4, { older, newer: [] })).toEqual([[2, 3, 4, 5], true, false]);
  });

  it('ends early when it is full, with what is nearest', () => {
    const long = (seq: number) => message(seq, '€'.repeat(1000));
    const surroundings = { older: [3, 2, 1].map(long), newer: [4, 5, 6].map(long) };
    expect(take('older', 3, surroundings, 7_500)).toEqual([[2, 3], true, true]);
    expect(take('newer', 3, surroundings, 7_500)).toEqual([[4, 5], true, true]);
    expect(take('both', 6, surroundings, 10_900)).toEqual([[3, 4, 5], true, true]);
    expect(take('both', 6, surroundings, 10)).toEqual([[4], true, true]);
  });
});
