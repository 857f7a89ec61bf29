import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AuditEntry } from './audit-entry.js';
import { RefusalFolds } from './refusal-folds.js';

const REFUSAL: AuditEntry = {
  action: 'login.password',
  outcome: 'denied',
  actor: { kind: 'anonymous', id: 'ada' },
  target: { user: 'ada' },
  address: '192.0.2.1',
  requestId: 'r1',
};

describe('refusals', () => {
  let counts: AuditEntry[];
  let folds: RefusalFolds;
  beforeEach(() => {
    jest.useFakeTimers();
    counts = [];
    folds = new RefusalFolds((entry) => counts.push(entry));
  });
  afterEach(() => void jest.useRealTimers());

  const rowsOf = (count: number) => Array.from({ length: count }, () => folds.isFolded(REFUSAL)).filter((isFolded) => !isFolded).length;
  const folded = () => counts.map(({ details }) => details);

  it('are counted for ten seconds; then the count goes out, and they have rows again', () => {
    expect(rowsOf(15)).toBe(10);
    jest.advanceTimersByTime(9_999);
    expect([rowsOf(1), folded()]).toEqual([0, []]);
    jest.advanceTimersByTime(1);
    expect(folded()).toEqual([{ folded: 6 }]);
    expect(rowsOf(11)).toBe(10);
    jest.advanceTimersByTime(10_000);
    expect(folded()).toEqual([{ folded: 6 }, { folded: 1 }]);
  });

  it('are not counted any more when nothing would come to write the count', () => {
    expect(rowsOf(15)).toBe(10);
    folds.close();
    expect(rowsOf(1)).toBe(1);
    folds.end();
    expect(folded()).toEqual([{ folded: 5 }]);
  });
});
