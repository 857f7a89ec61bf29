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

  it('gives back what was taken for nothing, to be taken again', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 3, maxKeys: 10, now: () => 0 });
    for (let i = 0; i < 3; i++) buckets.take('a');
    buckets.giveBack('a', 2);
    expect(buckets.standing('a')).toEqual({ tokens: 2, fullInMs: 1_000 });
    expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 1_000]);
  });

  it('is never more than full, whatever is given back', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 2, maxKeys: 10, now: () => 0 });
    buckets.take('a');
    buckets.giveBack('a', 5);
    buckets.giveBack('of whom nothing is known');
    expect(buckets.standing('a')).toEqual({ tokens: 2, fullInMs: 0 });
    expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 1_000]);
  });

  it('tells what is left, and when all of it is there', () => {
    let now = 0;
    const buckets = new TokenBuckets({ perSecond: 2, burst: 4, maxKeys: 10, now: () => now });
    expect(buckets.standing('a')).toEqual({ tokens: 4, fullInMs: 0 });
    for (let i = 0; i < 3; i++) buckets.take('a');
    expect(buckets.standing('a')).toEqual({ tokens: 1, fullInMs: 1_500 });
    now = 600;
    expect(buckets.standing('a')).toEqual({ tokens: 2, fullInMs: 900 });
    now = 10_000;
    expect(buckets.standing('a')).toEqual({ tokens: 4, fullInMs: 0 });
  });

  it('gives nothing until what is owed has come back, and from then on one token a period', () => {
    let now = 0;
    const buckets = new TokenBuckets({ perSecond: 10, burst: 5, maxKeys: 10, now: () => now });
    buckets.owe('a', 2);
    expect(buckets.standing('a').tokens).toBe(3);
    buckets.owe('a', 4);
    expect([buckets.take('a'), buckets.standing('a').tokens, buckets.take('b')]).toEqual([200, 0, 0]);
    now = 200;
    expect([buckets.take('a'), buckets.take('a')]).toEqual([0, 100]);
  });

  it('lets nobody owe more than a bucket', () => {
    const buckets = new TokenBuckets({ perSecond: 10, burst: 5, maxKeys: 10, now: () => 0 });
    buckets.owe('a', 1_000);
    expect(buckets.take('a')).toBe(600);
  });

  describe('onTaken', () => {
    let now = 0;
    let told: [string, number][];
    const start = () => {
      now = 0;
      told = [];
      const onTaken = (key: string, tokens: number) => told.push([key, tokens]);
      // A tenth of the burst is 2; an empty bucket fills in 2 s.
      return new TokenBuckets({ perSecond: 10, burst: 20, maxKeys: 10, now: () => now, onTaken });
    };

    it('is told of each tenth of the burst, by key, and of nothing that was refused', () => {
      const buckets = start();
      buckets.take('a');
      buckets.take('b');
      expect(told).toEqual([]);
      buckets.take('a');
      buckets.take('b', 5);
      expect(told).toEqual([
        ['a', 2],
        ['b', 6],
      ]);
      for (let i = 0; i < 100; i++) buckets.take('a');
      expect(told.filter(([key]) => key === 'a').reduce((sum, [, tokens]) => sum + tokens, 0)).toBe(20);
    });

    it('is not told of who takes less than that in the time that fills a bucket', () => {
      const buckets = start();
      for (let i = 0; i < 10; i++) {
        buckets.take('a');
        now += 2_001;
      }
      expect(told).toEqual([]);
      buckets.take('a');
      now += 2_000;
      buckets.take('a');
      expect(told).toEqual([['a', 2]]);
    });

    it('is not told of what was given back', () => {
      const buckets = start();
      for (let i = 0; i < 10; i++) {
        buckets.take('a');
        buckets.giveBack('a');
      }
      expect(told).toEqual([]);
      // Given back when it was told already, it is counted off the next.
      buckets.take('a', 2);
      buckets.giveBack('a', 2);
      buckets.take('a', 2);
      expect(told).toEqual([['a', 2]]);
      buckets.take('a', 2);
      expect(told).toEqual([
        ['a', 2],
        ['a', 2],
      ]);
    });
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
