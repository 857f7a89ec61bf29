import { describe, expect, it } from '@jest/globals';
import { slotOf } from './cluster-slots.js';

describe('slots of Redis Cluster', () => {
  // What `CLUSTER KEYSLOT` says.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['bar', 5_061],
    ['', 0],
  ])('of %j is %i', (key, slot) => expect(slotOf(key)).toBe(slot));

  it('is that of what is in braces', () => {
    expect(slotOf('parley:room:{foo}')).toBe(slotOf('foo'));
    expect(slotOf('a{foo}{bar}')).toBe(slotOf('foo'));
    expect(slotOf('a{}{foo}')).not.toBe(slotOf('foo'));
    expect(slotOf('{foo')).not.toBe(slotOf('foo'));
  });
});
