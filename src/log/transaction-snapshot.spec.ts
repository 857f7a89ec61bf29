import { expect, it } from '@jest/globals';
import { sawTransaction } from './transaction-snapshot.js';

it.each([
  ['9:9:', '8', true],
  ['9:9:', '9', false],
  ['9:14:9,12', '9', false],
  ['9:14:9,12', '10', true],
  ['9:14:9,12', '12', false],
  ['9:14:9,12', '13', true],
  ['9:14:9,12', '14', false],
  // By number, not by text, and beyond 32 bits.
  ['9:100:', '10', true],
  ['18446744073709551000:18446744073709551000:', '9', true],
])('a snapshot of %s sees transaction %s: %s', (snapshot, xid, seen) => {
  expect(sawTransaction(snapshot, xid)).toBe(seen);
});
