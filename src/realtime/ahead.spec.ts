import { describe, expect, it } from '@jest/globals';
import { Ahead } from './ahead.js';

const entry = (seq: number, bytes: number) => ({ seq, frame: Buffer.alloc(bytes) });

describe('Ahead', () => {
  it('gives each entry back once', () => {
    const ahead = new Ahead();
    for (const seq of [5, 3, 3]) ahead.put(entry(seq, 10));
    expect([3, 4, 5].map((seq) => ahead.take(seq)?.seq)).toEqual([3, undefined, 5]);
    expect(ahead.take(3)).toBeUndefined();
    expect(ahead.bytes).toBe(0);
  });

  it('drops the farthest when it has too many bytes, and keeps the next', () => {
    const ahead = new Ahead();
    for (let seq = 400; seq > 1; seq--) ahead.put(entry(seq, 10_000));
    expect(ahead.bytes).toBeLessThan(1_100_000);
    expect(ahead.take(400)).toBeUndefined();
    let next = 2;
    while (ahead.take(next)) next++;
    expect(next).toBeGreaterThan(50);
    expect(ahead.bytes).toBe(0);
  });

  it('forgets what the log has passed', () => {
    const ahead = new Ahead();
    for (const seq of [1, 2, 3]) ahead.put(entry(seq, 10));
    ahead.dropUpTo(2);
    expect([1, 2, 3].map((seq) => ahead.take(seq)?.seq)).toEqual([undefined, undefined, 3]);
  });
});
