import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addressKey } from '../limits/client-address.js';
import type { AuditEntry } from './audit-entry.js';
import { RefusalWindow } from './refusal-window.js';

const refusal = (address: string | null, actor = 'ada', action: AuditEntry['action'] = 'login.password'): AuditEntry => ({
  action,
  outcome: 'denied',
  actor: { kind: 'anonymous', id: actor },
  target: { user: actor },
  address,
  requestId: 'r1',
});

/** How many of the refusals have a row of their own. */
const rowsOf = (window: RefusalWindow, refusals: Iterable<AuditEntry>) => {
  let rows = 0;
  for (const each of refusals) if (!window.isFolded(each)) rows++;
  return rows;
};
const foldedOf = (counts: AuditEntry[]) => counts.reduce((sum, { details }) => sum + (details!.folded as number), 0);
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const v6 = (region: number, network: number, lan: number) =>
  addressKey(`2001:${region.toString(16)}:${network.toString(16)}:${lan.toString(16)}::1`);

describe('a flood of refusals', () => {
  it('by one actor from one address has ten rows, and a count of its own', () => {
    const window = new RefusalWindow();
    expect(rowsOf(window, Array(1_000).fill(refusal('192.0.2.1')) as AuditEntry[])).toBe(10);
    expect(window.counts()).toEqual([{ ...refusal('192.0.2.1'), target: null, requestId: null, details: { folded: 990 } }]);
  });

  it.each([
    ['a /24', range(250).map((host) => `203.0.113.${host}`), '203.0.113.0/24'],
    ['a /48', range(250).map((lan) => v6(0xdb8, 0, lan)), '2001:db8:0::/48'],
    ['no address', [null], null],
  ])('from %s has the rows of one network, and is counted under it, whoever it claims to be', (_, addresses, place) => {
    const window = new RefusalWindow();
    const rows = rowsOf(
      window,
      addresses.flatMap((address) => range(5_000 / addresses.length).map((actor) => refusal(address, `u${actor}`))),
    );
    expect(rows).toBeLessThan(500);
    const around = window.counts().filter(({ actor }) => actor.id === null);
    expect(around.map(({ address, target, requestId, action }) => [address, target, requestId, action])).toEqual([
      [place, null, null, 'login.password'],
    ]);
    expect(rows + foldedOf(window.counts())).toBe(5_000);
  });

  it('from thousands of networks of a /32 leaves most rows to others, and is counted under it where its networks are not told apart', () => {
    const window = new RefusalWindow();
    const rows = rowsOf(
      window,
      range(5_000).map((network) => refusal(v6(0xdb8, network, 1))),
    );
    expect(rows).toBeLessThan(500);
    expect(window.counts().map(({ address }) => address)).toContain('2001:db8::/32');
    expect(rowsOf(window, [refusal(v6(0xdb9, 1, 1))])).toBe(1);
  });

  it('from everywhere has no more rows and counts than there is room for, and none is lost', () => {
    const window = new RefusalWindow();
    const everywhere = range(50_000).map((index) =>
      refusal(v6(index % 1_500, index % 7, index % 11), `u${index % 13}`, `a.b${index % 17}`),
    );
    const rows = rowsOf(window, everywhere);
    const counts = window.counts();
    expect(rows).toBeGreaterThan(6_000);
    expect(rows).toBeLessThanOrEqual(8_000);
    expect(counts.length).toBeLessThanOrEqual(rows + 1_000 + 17);
    expect(counts.filter(({ address }) => address === null).map(({ action }) => action)).toHaveLength(17);
    expect(rows + foldedOf(counts)).toBe(50_000);
  });
});

describe('whoever sends how many from wherever', () => {
  /** So many refusals, from so many addresses of each of so many networks. */
  const flood = fc
    .array(
      fc.record({
        region: fc.nat(60),
        networks: fc.integer({ min: 1, max: 30 }),
        hosts: fc.integer({ min: 1, max: 10 }),
        each: fc.integer({ min: 1, max: 12 }),
        action: fc.constantFrom<AuditEntry['action']>('login.password', 'user.ban', 'access.request'),
      }),
      { maxLength: 8 },
    )
    .map((bursts) =>
      bursts.flatMap(({ region, networks, hosts, each, action }) =>
        range(networks * hosts * each).map((index) => {
          const host = index % hosts;
          const network = Math.floor(index / hosts) % networks;
          const address = region % 2 ? `10.${region}.${network}.${host}` : v6(region, network, host);
          return refusal(address, `u${index % 3}`, action);
        }),
      ),
    );
  const loners = [
    refusal('203.0.113.66', 'root', 'user.ban'),
    refusal(v6(0xdb8, 0xbeef, 7), 'mallory', 'access.handshake'),
    // In regions that flood, from networks that do not.
    refusal('10.1.200.9'),
    refusal(v6(2, 200, 1)),
  ];

  it('each refusal has a row or is in a count, and a lone one from a quiet network has its row', () => {
    fc.assert(
      fc.property(flood, fc.double({ min: 0, max: 1, noNaN: true }), fc.subarray(loners), (noise, where, lone) => {
        const window = new RefusalWindow();
        const at = Math.floor(where * noise.length);
        let rows = rowsOf(window, noise.slice(0, at));
        for (const each of lone) expect([each, window.isFolded(each)]).toEqual([each, false]);
        rows += lone.length + rowsOf(window, noise.slice(at));
        const counts = window.counts();
        expect(rows).toBeLessThanOrEqual(8_000);
        expect(counts.length).toBeLessThanOrEqual(rows + 1_003);
        expect(rows + foldedOf(counts)).toBe(noise.length + lone.length);
      }),
      { numRuns: 30 },
    );
  });

  it('the first from a region has its row while there are fewer than 1,000, and from each network of one of IPv4 that is alone', () => {
    const window = new RefusalWindow();
    // Each takes all that it gets before the next comes.
    for (const region of range(999)) for (const index of range(30)) window.isFolded(refusal(v6(region, index % 5, index), `u${index}`));
    expect(window.isFolded(refusal('203.0.113.66'))).toBe(false);
    expect(window.isFolded(refusal('198.51.100.1'))).toBe(true);
    expect(
      rowsOf(
        new RefusalWindow(),
        range(256).map((network) => refusal(`10.0.${network}.1`)),
      ),
    ).toBe(256);
  });
});
