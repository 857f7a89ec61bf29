import { describe, expect, it } from '@jest/globals';
import { DoubtfulReceipts } from './doubtful-receipts.js';

const receipt = (user: string, seq = 1) => ({ user, room: 'r', seq });

describe('receipts that the bus may not have carried', () => {
  it('are forgotten when the bus was well for long enough', () => {
    const doubtful = new DoubtfulReceipts();
    doubtful.keep(receipt('ann'), 0);
    doubtful.keep(receipt('bob'), 5_000);
    expect(doubtful.due(true, null, 11_000)).toEqual([]);
    expect(doubtful.due(false, null, 12_000)).toEqual([]);
    expect(doubtful.due(true, null, 16_000)).toMatchObject([receipt('bob')]);
    expect(doubtful.isEmpty).toBe(true);
  });

  it('are told again once, the last of each, when the bus has been well again for a while', () => {
    const doubtful = new DoubtfulReceipts();
    doubtful.keep(receipt('ann', 1), 0);
    expect(doubtful.due(false, null, 1_000)).toEqual([]);
    doubtful.keep(receipt('ann', 2), 60_000);
    doubtful.keep(receipt('bob'), 60_000);
    expect(doubtful.due(false, null, 61_000)).toEqual([]);
    expect(doubtful.due(true, null, 62_000)).toEqual([]);
    expect(doubtful.due(true, null, 64_000)).toMatchObject([receipt('ann', 2), receipt('bob')]);
    expect(doubtful.due(true, null, 65_000)).toEqual([]);
  });

  it('are told again when the bus was down between two looks', () => {
    const doubtful = new DoubtfulReceipts();
    doubtful.keep(receipt('ann'), 0);
    expect(doubtful.due(true, 500, 1_000)).toEqual([]);
    expect(doubtful.due(true, 500, 4_000)).toMatchObject([receipt('ann')]);
    doubtful.keep(receipt('bob'), 4_000);
    expect(doubtful.due(true, 500, 20_000)).toEqual([]);
    expect(doubtful.isEmpty).toBe(true);
  });

  it('are due again when they could not be told', () => {
    const doubtful = new DoubtfulReceipts();
    doubtful.keep(receipt('ann', 1), 0);
    doubtful.due(false, null, 0);
    const due = doubtful.due(true, null, 4_000);
    doubtful.keep(receipt('bob', 9), 4_000);
    doubtful.putBack([...due, receipt('bob', 3)], 4_000);
    expect(doubtful.due(true, null, 8_000)).toEqual([
      expect.objectContaining(receipt('bob', 9)),
      expect.objectContaining(receipt('ann', 1)),
    ]);
  });

  it('are bounded', () => {
    const doubtful = new DoubtfulReceipts();
    for (let index = 0; index < 20_000; index++) doubtful.keep(receipt(`u${index}`), 0);
    doubtful.due(false, null, 0);
    expect(doubtful.due(true, null, 5_000)).toHaveLength(10_000);
  });
});
