import { describe, expect, it } from '@jest/globals';
import { Batcher } from './batcher.js';

const limits = { maxItems: 3, maxWaiting: 8, overflow: () => new Error('full') };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Batcher', () => {
  it('sends what came in one turn together, and what came meanwhile in the next batches, in order', async () => {
    const batches: number[][] = [];
    let finish = () => {};
    const batcher = new Batcher<number, number>((items) => {
      batches.push(items);
      return new Promise((resolve) => (finish = () => resolve(items.map((item) => item * 2))));
    }, limits);
    const results = [1, 2].map((item) => batcher.add(item));
    await turn();
    results.push(...[3, 4, 5, 6].map((item) => batcher.add(item)));
    for (let i = 0; i < 3; i++) {
      finish();
      await turn();
    }
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10, 12]);
    expect(batches).toEqual([[1, 2], [3, 4, 5], [6]]);
  });

  it('rejects an item by its own error, all by a thrown one, and goes on', async () => {
    const batcher = new Batcher<number, number>((items) => {
      if (items.includes(0)) return Promise.reject(new Error('all'));
      return Promise.resolve(items.map((item) => (item < 0 ? new Error('mine') : item)));
    }, limits);
    const mixed = await Promise.allSettled([batcher.add(1), batcher.add(-1)]);
    expect(mixed).toMatchObject([{ value: 1 }, { reason: { message: 'mine' } }]);
    const failed = await Promise.allSettled([batcher.add(0), batcher.add(1)]);
    expect(failed).toMatchObject([{ reason: { message: 'all' } }, { reason: { message: 'all' } }]);
    expect(await batcher.add(2)).toBe(2);
  });

  it('refuses at once what would wait beyond the bound', async () => {
    const batcher = new Batcher<number, number>((items) => Promise.resolve(items), limits);
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, item) => batcher.add(item)));
    expect(results.map(({ status }) => status)).toEqual([...Array(8).fill('fulfilled'), 'rejected', 'rejected']);
  });

  it('lets a batch weigh no more than its bound, a single heavier item excepted', async () => {
    const batches: number[][] = [];
    const run = (items: number[]) => {
      batches.push(items);
      return Promise.resolve(items);
    };
    const batcher = new Batcher<number, number>(run, { ...limits, maxBytes: 10, bytesOf: (item) => item });
    await Promise.all([4, 5, 6, 50, 1].map((item) => batcher.add(item)));
    expect(batches).toEqual([[4, 5], [6], [50], [1]]);
  });
});
