import { describe, expect, it } from '@jest/globals';
import type { AuditEntry } from './audit-entry.js';
import { RefusalFolds } from './refusal-folds.js';

const refusal = (address: string, action: AuditEntry['action'] = 'login.password'): AuditEntry => ({
  action,
  outcome: 'denied',
  actor: { kind: 'anonymous', id: 'ada' },
  target: { user: 'ada' },
  address,
  requestId: 'r1',
});

describe('refusals', () => {
  it('of many kinds are told apart up to a bound; the rest are counted by action, and none is lost', () => {
    const counts: AuditEntry[] = [];
    const folds = new RefusalFolds((entry) => counts.push(entry));
    let rows = 0;
    for (let index = 0; index < 100_000; index++) if (!folds.isFolded(refusal(`192.0.2.${index}`))) rows++;
    folds.end();
    expect(rows).toBe(510);
    expect(counts).toEqual([
      {
        ...refusal(''),
        actor: { kind: 'anonymous', id: null },
        target: null,
        address: null,
        requestId: null,
        details: { folded: 100_000 - 510 },
      },
    ]);
  });

  it('are not counted any more when nothing would come to write the count', () => {
    const counts: AuditEntry[] = [];
    const folds = new RefusalFolds((entry) => counts.push(entry));
    for (let index = 0; index < 15; index++) folds.isFolded(refusal('192.0.2.1'));
    folds.close();
    expect(folds.isFolded(refusal('192.0.2.1'))).toBe(false);
    folds.end();
    expect(counts.map(({ details }) => details)).toEqual([{ folded: 5 }]);
  });
});
