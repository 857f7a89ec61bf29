import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PageCursor } from './page-cursor.js';

const rows = ['a', 'b', 'c'];
const byUser = new PageCursor('user', 'members', 'room-1');
const next = (list: PageCursor<'user'>, limit = 2) =>
  list.page(
    rows,
    limit,
    (row) => [row],
    (row) => row,
  ).nextCursor;

describe('PageCursor', () => {
  it('points behind the last item shown, while there is more', () => {
    expect(byUser.read(undefined)).toBeNull();
    expect(byUser.read(next(byUser)!)).toEqual(['b']);
    expect(next(byUser, 3)).toBeNull();
    const page = byUser.page(
      rows,
      2,
      (row) => [row],
      (row) => row.toUpperCase(),
    );
    expect(page.items).toEqual(['A', 'B']);
  });

  it('is refused by another list', () => {
    const refused = expect.objectContaining({ code: 'validation_failed', details: [expect.objectContaining({ path: 'cursor' })] });
    expect(() => new PageCursor('user', 'members', 'room-2').read(next(byUser)!)).toThrow(refused);
    expect(() => new PageCursor('user', 'bans', 'room-1').read(next(byUser)!)).toThrow(refused);
    expect(() => new PageCursor('timedRoom', 'members', 'room-1').read(next(byUser)!)).toThrow(refused);
  });

  it('keeps what is in a key as it was', () => {
    const timed = new PageCursor('timedRoom', 'x');
    const id = '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11';
    const cursor = timed.page(
      [1, 2],
      1,
      () => [1_764_000_000_123, id],
      (row) => row,
    ).nextCursor!;
    expect(timed.read(cursor)).toEqual([1_764_000_000_123, id]);
    expect(cursor).toMatch(/^[\w-]+$/);
  });

  it('refuses whatever else is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String(),
          fc.json().map((json) => Buffer.from(json).toString('base64url')),
        ),
        (text) => {
          expect(() => byUser.read(text)).toThrow(expect.objectContaining({ code: 'validation_failed' }));
        },
      ),
    );
  });
});
