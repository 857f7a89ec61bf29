import { createHash } from 'node:crypto';
import { z } from 'zod';
import { validationFailed } from '../errors/chat-error.js';
import { LIMITS, textProblem } from '../protocol/index.js';

/** A page of a list that is read on by `nextCursor` until it is null. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

const userId = z.custom<string>((value) => textProblem(value, 1, LIMITS.userIdChars) === null);

/** What a list is sorted by: the key of the last item of a page. A cursor is such a key, so that it stays good while the list changes. */
const CURSOR_KEYS = {
  /** Of rooms, keys, logins, reports. */
  id: z.tuple([z.guid()]),
  timedRoom: z.tuple([z.int().min(0).max(253_402_300_799_999), z.guid()]),
  /** Unix milliseconds. */
  time: z.tuple([z.int().min(0).max(253_402_300_799_999)]),
  connection: z.tuple([z.string().regex(/^c_[\da-f-]{36}$/)]),
  user: z.tuple([userId]),
  userRoom: z.tuple([userId, z.guid()]),
  message: z.tuple([z.guid(), z.int().min(0)]),
  auditSeq: z.tuple([z.int().min(1)]),
} as const;

type KeyKind = keyof typeof CURSOR_KEYS;
export type CursorKey<K extends KeyKind> = z.infer<(typeof CURSOR_KEYS)[K]>;

/**
 * One list's cursors: opaque, and refused by every other list. `scope` names the list and all that selects its items. It is no secret
 * and no right: who forges a cursor reads the same list from another place.
 */
export class PageCursor<K extends KeyKind> {
  readonly #scope: string;

  constructor(
    private readonly kind: K,
    ...scope: string[]
  ) {
    this.#scope = createHash('sha256').update(JSON.stringify(scope)).digest('base64url').slice(0, 12);
  }

  /** The key behind which the page begins; null for the first page. @throws {ChatError} validation_failed for what this list never gave */
  read(cursor: string | undefined): CursorKey<K> | null {
    if (cursor === undefined) return null;
    const key = this.#decode(cursor);
    if (key !== undefined) return key;
    throw validationFailed([{ path: 'cursor', message: 'is not a cursor of this list' }]);
  }

  /** The page out of `rows`, of which one more than `limit` were asked for. */
  page<Row, T>(rows: Row[], limit: number, keyOf: (row: Row) => CursorKey<K>, view: (row: Row) => T): Page<T> {
    const shown = rows.slice(0, limit);
    const more = rows.length > limit && shown.length > 0;
    return { items: shown.map(view), nextCursor: more ? this.after(keyOf(shown.at(-1)!)) : null };
  }

  /** The cursor of a page that begins behind this key. */
  after(key: CursorKey<K>): string {
    return Buffer.from(JSON.stringify([this.#scope, ...key])).toString('base64url');
  }

  #decode(cursor: string): CursorKey<K> | undefined {
    try {
      const [scope, ...key] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
      return scope === this.#scope ? (CURSOR_KEYS[this.kind].parse(key) as CursorKey<K>) : undefined;
    } catch {
      return undefined;
    }
  }
}
