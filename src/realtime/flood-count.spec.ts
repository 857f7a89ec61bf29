import { expect, it } from '@jest/globals';
import { FloodCount } from './flood-count.js';

it('lets so many pass in a window, and begins anew with the next', () => {
  const count = new FloodCount(2, 1_000);
  expect([5_000, 5_001, 5_999, 6_000, 6_001, 6_002].map((now) => count.isOver(now))).toEqual([false, false, true, false, false, true]);
});
