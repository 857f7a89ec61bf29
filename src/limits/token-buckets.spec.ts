import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TokenBuckets } from './token-buckets.js';

describe('TokenBuckets', () => {
  it('gives the burst at once, then one token a period', () => {
    let now = 0;
    const buckets = new TokenBuckets({ perSecond: 10, burst: 3, maxKeys: 10, now: () => now });
    expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 0]);
    expect(buckets.take('a')).toBe(100);
    now = 99;
    expect(buckets.take('a')).toBe(1);
    now = 100;
    expect(buckets.take('a')).toBe(0);
    expect(buckets.take('b')).toBe(0);
  });

  it('never gives a cost over the burst, and takes nothing for it', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 2, maxKeys: 10, now: () => 0 });
    expect(buckets.take('a', 3)).toBe(Infinity);
    expect(buckets.take('a', 2)).toBe(0);
  });

  it('forgets the quietest key when there are too many', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1, maxKeys: 2, now: () => 0 });
    buckets.take('a');
    buckets.take('b');
    buckets.take('c');
    expect(buckets.take('c')).toBeGreaterThan(0);
    expect(buckets.take('a')).toBe(0);
  });

  const limits = fc.record({ perSecond: fc.integer({ min: 1, max: 1000 }), burst: fc.integer({ min: 1, max: 100 }) });
  const asks = fc.array(fc.record({ pauseMs: fc.integer({ min: 0, max: 2000 }), cost: fc.integer({ min: 1, max: 5 }) }), { maxLength: 60 });

  it('gives no more than burst + rate × time in any stretch, and keeps its word on when to come back', () => {
    fc.assert(
      fc.property(limits, asks, ({ perSecond, burst }, steps) => {
        let now = 0;
        const buckets = new TokenBuckets({ perSecond, burst, maxKeys: 10, now: () => now });
        const taken: { at: number; cost: number }[] = [];
        for (const { pauseMs, cost } of steps) {
          now += pauseMs;
          const wait = buckets.take('key', cost);
          if (wait === Infinity) {
            expect(cost).toBeGreaterThan(burst);
            continue;
          }
          if (wait > 0) {
            now += wait;
            expect(buckets.take('key', cost)).toBe(0);
          }
          taken.push({ at: now, cost });
        }
        taken.forEach((from, first) => {
          let sum = 0;
          for (const { at, cost } of taken.slice(first)) {
            sum += cost;
            expect(sum).toBeLessThanOrEqual(burst + (perSecond * (at - from.at)) / 1000 + 1e-3);
          }
        });
      }),
    );
  });
});
