import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { UserDirectory } from '../auth/user-directory.js';
import { LastSeen } from './last-seen.service.js';

const EARLY = new Date('2026-01-01T12:00:00.000Z');
const LATE = new Date('2026-01-01T12:00:01.000Z');

describe('last seen', () => {
  let stored: Map<string, Date>;
  let parts: string[][];
  let isDown: boolean;
  /** Runs while a read or a write is under way. */
  let meanwhile: (() => void | Promise<void>) | undefined;
  let lastSeen: LastSeen;

  beforeEach(() => {
    jest.useFakeTimers();
    Logger.overrideLogger(false);
    stored = new Map();
    parts = [];
    isDown = false;
    meanwhile = undefined;
    lastSeen = new LastSeen({
      async seen(users: { user: string; at: Date }[]) {
        parts.push(users.map(({ user }) => user));
        await takeMeanwhile();
        if (isDown) throw new Error('down');
        for (const { user, at } of users) stored.set(user, at);
      },
      async lastSeen(ids: string[]) {
        const read = new Map(ids.map((id) => [id, stored.get(id) ?? null]));
        await takeMeanwhile();
        return read;
      },
    } as unknown as UserDirectory);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  async function takeMeanwhile(): Promise<void> {
    await Promise.resolve();
    const act = meanwhile;
    meanwhile = undefined;
    await act?.();
  }

  it('gathers what comes while it stores', async () => {
    lastSeen.note('ada', EARLY);
    for (const user of ['bob', 'cid', 'dan']) lastSeen.note(user, EARLY);
    await lastSeen.flush();
    expect(parts).toEqual([['ada'], ['bob', 'cid', 'dan']]);
  });

  it('stores a later time that came while the earlier one was being stored', async () => {
    meanwhile = () => lastSeen.note('ada', LATE);
    lastSeen.note('ada', EARLY);
    await lastSeen.flush();
    expect(stored.get('ada')).toEqual(LATE);
    expect(await lastSeen.of(['ada', 'bob'])).toEqual(
      new Map([
        ['ada', LATE],
        ['bob', null],
      ]),
    );
  });

  it('reads a time that was stored while it read', async () => {
    isDown = true;
    lastSeen.note('ada', LATE);
    await lastSeen.flush();
    isDown = false;
    meanwhile = () => lastSeen.flush();
    expect(await lastSeen.of(['ada'])).toEqual(new Map([['ada', LATE]]));
    expect(stored.get('ada')).toEqual(LATE);
  });

  it('tries again each second while the database is down, and not after the end', async () => {
    isDown = true;
    lastSeen.note('ada', EARLY);
    await jest.advanceTimersByTimeAsync(2_500);
    expect(parts).toHaveLength(3);
    await lastSeen.beforeApplicationShutdown();
    await jest.advanceTimersByTimeAsync(5_000);
    expect(parts).toHaveLength(4);
    isDown = false;
    await lastSeen.beforeApplicationShutdown();
    expect(stored.get('ada')).toEqual(EARLY);
  });
});
