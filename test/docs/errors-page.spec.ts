import { describe, expect, it } from '@jest/globals';
import { CLOSE_CODES, ERROR_CODES } from '../../src/protocol/index.js';
import { jsonBlocks, tableOf, unquoted } from './markdown-table.js';

const PAGE = 'docs/errors.md';

describe('docs/errors.md', () => {
  it('lists every error code with its HTTP status and whether it is retryable, and no other', () => {
    const rows = tableOf(PAGE, 'code').map(({ code, HTTP, retryable }) => [
      unquoted(code!),
      { status: Number(HTTP), retryable: retryable === 'yes' },
    ]);
    expect(rows).toHaveLength(Object.keys(ERROR_CODES).length);
    expect(Object.fromEntries(rows)).toEqual(ERROR_CODES);
  });

  it('lists every close code under its name, and no other', () => {
    const rows = tableOf(PAGE, 'close code').map((row) => [unquoted(row['name']!), Number(row['close code'])]);
    expect(rows).toHaveLength(Object.keys(CLOSE_CODES).length);
    expect(Object.fromEntries(rows)).toEqual(CLOSE_CODES);
  });

  it('keeps close codes in the range that says what the client does', () => {
    const own = Object.values(CLOSE_CODES).filter((code) => code >= 4000);
    expect(own.filter((code) => code >= 4300)).toEqual([]);
    expect(CLOSE_CODES.tokenExpired).toBeGreaterThanOrEqual(4100);
    expect(CLOSE_CODES.banned).toBeGreaterThanOrEqual(4200);
  });

  it('shows errors with codes that exist', () => {
    const [body, frame] = jsonBlocks(PAGE) as [{ code: string }, { data: { code: string; retryable: boolean } }];
    expect(ERROR_CODES).toHaveProperty(body.code);
    expect(ERROR_CODES).toHaveProperty(frame.data.code, expect.objectContaining({ retryable: frame.data.retryable }));
  });
});
