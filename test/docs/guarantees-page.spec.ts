import { expect, it } from '@jest/globals';
import { GROUPS } from '../faults/groups.js';
import { tableOf } from './markdown-table.js';

it('docs/guarantees.md lists every fault of the suite, in its order, and no other', () => {
  const run = Object.values(GROUPS).flatMap(({ scenarios }) => scenarios.map(({ name }) => name));
  expect(tableOf('docs/guarantees.md', 'fault').map(({ fault }) => fault)).toEqual(run);
});
