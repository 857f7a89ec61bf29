import { describe, expect, it } from '@jest/globals';
import { Batcher, LATER } from './batcher.js';

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

  it('keeps what is put off first in line, and answers all in the end', async () => {
    const batches: number[][] = [];
    const run = (items: number[]) => {
      batches.push(items);
      return Promise.resolve(items.map((item, index) => (index === 0 ? item : LATER)));
    };
    const batcher = new Batcher<number, number>(run, limits);
    expect(await Promise.all([1, 2, 3, 4].map((item) => batcher.add(item)))).toEqual([1, 2, 3, 4]);
    expect(batches).toEqual([[1, 2, 3], [2, 3, 4], [3, 4], [4]]);
  });

  it('gathers when it is told to: until enough wait, or for so long', async () => {
    const batches: number[][] = [];
    let isWorthwhile = true;
    const run = (items: number[]) => {
      batches.push(items);
      return Promise.resolve(items);
    };
    const batcher = new Batcher<number, number>(run, { ...limits, gather: { when: () => isWorthwhile, items: 3, ms: 20 } });
    const results = [batcher.add(1)];
    await turn();
    results.push(batcher.add(2));
    await turn();
    expect(batches).toEqual([]);
    results.push(batcher.add(3));
    await Promise.all(results);
    expect(batches).toEqual([[1, 2, 3]]);
    await batcher.add(4);
    isWorthwhile = false;
    const last = batcher.add(5);
    await turn();
    await turn();
    expect(batches).toEqual([[1, 2, 3], [4], [5]]);
    await last;
  });
});
