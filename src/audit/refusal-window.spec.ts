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

/** By somebody whose token or key was verified. */
const proven = (address: string, id: string, action: AuditEntry['action'] = 'user.ban', kind: 'user' | 'key' = 'user'): AuditEntry => ({
  ...refusal(address, id, action),
  actor: { kind, id },
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

describe('who was proved by his credentials', () => {
  it('has his row beside a flood of others from his own address, and beside floods from everywhere', () => {
    const window = new RefusalWindow();
    for (const name of range(1_000)) window.isFolded(refusal('10.1.5.9', `u${name}`));
    for (const region of range(2_000)) window.isFolded(refusal(v6(region, 1, 1)));
    for (const action of ['user.ban', 'room.delete'] as const) expect(window.isFolded(proven('10.1.5.9', 'mallory', action))).toBe(false);
  });

  it.each(['user', 'key'] as const)('is told apart from all others of his network, and counted by his name: a %s', (kind) => {
    const window = new RefusalWindow();
    for (const name of range(200)) expect(window.isFolded(proven('10.1.5.9', `u${name}`, 'user.ban', kind))).toBe(false);
    const many = range(1_000).map((index) => proven(`10.${index % 250}.5.9`, 'mallory', `a.b${index % 20}`, kind));
    const rows = rowsOf(window, many);
    expect(rows).toBeGreaterThan(100);
    const counts = window.counts();
    expect(counts.map(({ actor }) => actor)).toEqual(counts.map(() => ({ kind, id: 'mallory' })));
    expect(rows + foldedOf(counts)).toBe(1_000);
  });

  it('is counted by his kind and region where more accounts ask than are told apart, and takes nothing from others', () => {
    const window = new RefusalWindow();
    const rows = rowsOf(
      window,
      range(5_000).map((name) => proven('10.1.5.9', `u${name}`)),
    );
    expect(rows).toBeLessThan(500);
    expect(window.counts()).toEqual([
      { ...proven('10.1.0.0/16', ''), actor: { kind: 'user', id: null }, target: null, requestId: null, details: { folded: 5_000 - rows } },
    ]);
    expect([proven('10.2.5.9', 'ada'), refusal('10.1.5.9')].map((each) => window.isFolded(each))).toEqual([false, false]);
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
        kind: fc.constantFrom('anonymous', 'user', 'key'),
      }),
      { maxLength: 8 },
    )
    .map((bursts) =>
      bursts.flatMap(({ region, networks, hosts, each, action, kind }) =>
        range(networks * hosts * each).map((index) => {
          const host = index % hosts;
          const network = Math.floor(index / hosts) % networks;
          const address = region % 2 ? `10.${region}.${network}.${host}` : v6(region, network, host);
          const actor = `u${index % (kind === 'anonymous' ? 3 : 40)}`;
          return kind === 'anonymous' ? refusal(address, actor, action) : proven(address, actor, action, kind);
        }),
      ),
    );
  const loners = [
    refusal('203.0.113.66', 'root', 'user.ban'),
    refusal(v6(0xdb8, 0xbeef, 7), 'mallory', 'access.handshake'),
    // In regions that flood, from networks that do not.
    refusal('10.1.200.9'),
    refusal(v6(2, 200, 1)),
    // From networks that flood, perhaps.
    proven('10.1.0.0', 'mallory', 'room.delete'),
    proven(v6(2, 0, 0), 'crm', 'access.request', 'key'),
  ];

  it('each refusal has a row or is in a count, and a lone one from a quiet network or of a proven actor has its row', () => {
    fc.assert(
      fc.property(flood, fc.double({ min: 0, max: 1, noNaN: true }), fc.subarray(loners), (noise, where, lone) => {
        const window = new RefusalWindow();
        const at = Math.floor(where * noise.length);
        const own = noise.slice(0, at).filter((each) => !window.isFolded(each));
        for (const each of lone) expect([each, window.isFolded(each)]).toEqual([each, false]);
        own.push(...lone, ...noise.slice(at).filter((each) => !window.isFolded(each)));
        const rows = own.length;
        const counts = window.counts();
        expect(rows).toBeLessThanOrEqual(16_000);
        expect(counts.length).toBeLessThanOrEqual(rows + 2_009);
        expect(rows + foldedOf(counts)).toBe(noise.length + lone.length);
        const of = (list: AuditEntry[], kind: string) => list.filter(({ actor }) => actor.kind === kind);
        for (const kind of ['anonymous', 'user', 'key'])
          expect(of(own, kind).length + foldedOf(of(counts, kind))).toBe(of([...noise, ...lone], kind).length);
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
