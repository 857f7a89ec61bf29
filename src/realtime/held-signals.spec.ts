import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Signal } from '../bus/room-bus.js';
import { HeldSignals } from './held-signals.js';

const END = Buffer.from('end');

describe('held signals', () => {
  let ends: Signal[];
  let held: HeldSignals;

  beforeEach(() => {
    jest.useFakeTimers();
    ends = [];
    held = new HeldSignals((signal) => ends.push(signal));
  });

  afterEach(() => {
    held.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  const audience = { kind: 'room', room: 'r', exceptUser: 'ada' } as const;
  const start = (source: string) =>
    held.take({ audience, key: 'k', frame: Buffer.from('on'), source, lapse: { afterMs: 8_000, frame: END } });
  const stop = (source: string) => held.take({ audience, key: 'k', frame: END, source });

  it('lets through what has no source, and keeps nothing of it', () => {
    expect(held.take({ audience, key: 'k', frame: END })).toBe(true);
    expect(held.size).toBe(0);
  });

  it('ends what its source no longer speaks of, once', () => {
    expect(start('one')).toBe(true);
    jest.advanceTimersByTime(7_000);
    expect(start('one')).toBe(true);
    jest.advanceTimersByTime(7_999);
    expect(ends).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(ends).toEqual([{ audience, key: 'k', frame: END }]);
    jest.advanceTimersByTime(60_000);
    expect(ends).toHaveLength(1);
    expect(held.size).toBe(0);
  });

  it('keeps nothing of what its source has ended', () => {
    start('one');
    expect(stop('one')).toBe(true);
    expect(held.size).toBe(0);
    jest.advanceTimersByTime(60_000);
    expect(ends).toEqual([]);
  });

  it('goes on until the last source ends it', () => {
    start('one');
    start('two');
    expect(stop('one')).toBe(false);
    expect(stop('two')).toBe(true);
  });

  it('goes on when one of two sources falls silent', () => {
    start('one');
    jest.advanceTimersByTime(5_000);
    start('two');
    jest.advanceTimersByTime(5_000);
    expect(ends).toEqual([]);
    expect(stop('two')).toBe(true);
  });

  it('delivers the end of what it never heard of', () => {
    expect(stop('one')).toBe(true);
  });
});
