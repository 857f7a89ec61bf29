import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Listener, PresenceDevice } from '../../test/support/presence-device.js';
import { recorded } from '../../test/support/quiet-changes.js';
import type { Watcher } from './watched-users.js';

const START = new Date('2026-01-01T12:00:00.000Z');
const LONG_AGO = new Date('2025-12-24T18:00:00.000Z');

describe('presence', () => {
  let device: PresenceDevice;
  let { db, bus, users, watches, lastSeen, presence } = {} as PresenceDevice;

  beforeEach(() => {
    jest.useFakeTimers({ now: START });
    Logger.overrideLogger(false);
    device = new PresenceDevice();
    ({ db, bus, users, watches, lastSeen, presence } = device);
  });

  afterEach(async () => {
    await device.close();
    expect(users.size).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  const room: PresenceDevice['room'] = (...args) => device.room(...args);
  const log: PresenceDevice['log'] = (...args) => device.log(...args);
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  describe('watching', () => {
    it('begins with all members, and goes on with their changes', async () => {
      room('r', 'ada', 'bob', 'cid');
      db.seen.set('cid', LONG_AGO);
      presence.connected('ada', 'a1', 'online');
      const ada = new Listener('ada');
      expect(await presence.watch(ada, 'r')).toEqual({
        count: 1,
        users: [
          { user: 'ada', status: 'online', lastSeenAt: null },
          { user: 'bob', status: 'offline', lastSeenAt: null },
          { user: 'cid', status: 'offline', lastSeenAt: LONG_AGO.toISOString() },
        ],
        truncated: false,
      });
      presence.connected('bob', 'b1', 'busy');
      await pass(200);
      expect(ada.heard).toEqual([{ user: 'bob', status: 'busy', lastSeenAt: null }]);
      const goneAt = new Date().toISOString();
      presence.disconnected('bob', 'b1');
      await pass(200);
      expect(ada.heard.at(-1)).toEqual({ user: 'bob', status: 'offline', lastSeenAt: goneAt });
      expect(ada.heard).toHaveLength(2);
    });

    it('says nothing of a flap within the window', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      presence.disconnected('bob', 'b1');
      await pass(100);
      presence.connected('bob', 'b2', 'online');
      await pass(1_000);
      expect(ada.heard).toEqual([]);
    });

    it('says only the last of several changes in a window', async () => {
      room('r', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      presence.connected('bob', 'b1', 'online');
      await presence.choose('bob', 'away');
      await presence.choose('bob', 'busy');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob busy']);
    });

    it('tells a watcher of several rooms once', async () => {
      room('r', 'ada', 'bob');
      room('s', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      await presence.watch(ada, 's');
      presence.connected('bob', 'b1', 'online');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob online']);
      presence.unwatch(ada, 'r');
      presence.disconnected('bob', 'b1');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob online', 'bob offline']);
    });

    it('lets no snapshot within a window hide what comes after it', async () => {
      room('r', 'ada', 'bob', 'cid');
      presence.connected('bob', 'b1', 'online');
      const [ada, cid] = [new Listener('ada'), new Listener('cid')];
      await presence.watch(ada, 'r');
      await presence.choose('bob', 'away');
      await pass(50);
      const { users: seen } = await presence.watch(cid, 'r');
      expect(seen.find(({ user }) => user === 'bob')!.status).toBe('away');
      await presence.choose('bob', 'online');
      await pass(1_000);
      expect(cid.statuses).toEqual(['bob online']);
      expect(ada.statuses).toEqual(['bob away', 'bob online']);
    });

    it('misses no change that comes while the snapshot is read', async () => {
      room('r', 'ada', 'bob');
      db.onRead = () => presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      const { users: seen } = await presence.watch(ada, 'r');
      await pass(1_000);
      const last = [...seen, ...ada.heard].filter(({ user }) => user === 'bob').at(-1);
      expect(last!.status).toBe('online');
    });

    it('includes who joins, and forgets who leaves', async () => {
      room('r', 'ada');
      db.seen.set('cid', LONG_AGO);
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      log('r', 'member.joined', 'bob');
      log('r', 'member.joined', 'cid');
      await pass(1_000);
      expect(ada.heard).toEqual([
        { user: 'bob', status: 'online', lastSeenAt: null },
        { user: 'cid', status: 'offline', lastSeenAt: LONG_AGO.toISOString() },
      ]);
      log('r', 'member.left', 'bob', 'left');
      presence.disconnected('bob', 'b1');
      await pass(1_000);
      expect(ada.heard).toHaveLength(2);
    });

    it('tells a room of a new member whom another room knows already', async () => {
      room('r', 'ada', 'bob');
      room('s', 'cid', 'ada');
      const [ada, cid] = [new Listener('ada'), new Listener('cid')];
      await presence.watch(ada, 'r');
      await presence.watch(ada, 's');
      await presence.watch(cid, 's');
      log('s', 'member.joined', 'bob');
      await pass(1_000);
      expect(cid.statuses).toEqual(['bob offline']);
      expect(ada.heard).toEqual([]);
    });

    it.each([
      ['a kick', () => log('r', 'member.left', 'ada', 'kicked')],
      ['a silent leave', () => bus.publishAct(recorded({ kind: 'access.ended', room: 'r', user: 'ada', reason: 'left', atSeq: 0 }))],
      ['the end of the room', () => log('r', 'room.deleted', null, 'deleted')],
      ['unwatch', (ada: Watcher) => presence.unwatch(ada, 'r')],
      ['the end of the connection', (ada: Watcher) => presence.forget(ada)],
    ])('ends by %s, and keeps nothing', async (_, end) => {
      room('r', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      presence.connected('bob', 'b1', 'online');
      end(ada);
      await pass(1_000);
      expect(ada.heard).toEqual([]);
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('refuses who may not, and keeps nothing', async () => {
      room('r', 'bob');
      await expect(presence.watch(new Listener('ada'), 'r')).rejects.toMatchObject({ code: 'not_found' });
      await expect(presence.watch(new Listener('ada'), 'none')).rejects.toMatchObject({ code: 'not_found' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('refuses who is kicked while the snapshot is read', async () => {
      room('r', 'ada', 'bob');
      db.onRead = () => {
        db.onRead = undefined;
        log('r', 'member.left', 'ada', 'kicked');
      };
      await expect(presence.watch(new Listener('ada'), 'r')).rejects.toMatchObject({ code: 'not_found' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('begins nothing for a connection that closes meanwhile', async () => {
      room('r', 'ada');
      const ada = new Listener('ada');
      db.onRead = () => presence.forget(ada);
      await expect(presence.watch(ada, 'r')).rejects.toMatchObject({ code: 'unavailable' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('fails with the database, and keeps nothing', async () => {
      room('r', 'ada');
      db.isDown = true;
      await expect(presence.watch(new Listener('ada'), 'r')).rejects.toMatchObject({ code: 'unavailable' });
      expect([users.size, watches.size]).toEqual([0, 0]);
    });

    it('gives a sample of a large room, and no changes', async () => {
      const many = Array.from({ length: 300 }, (_, index) => `user-${index}`);
      room('big', 'ada', ...many);
      db.large.add('big');
      for (const user of many.slice(0, 250)) presence.connected(user, `c-${user}`, user === 'user-9' ? 'invisible' : 'online');
      const ada = new Listener('ada');
      const snapshot = await presence.watch(ada, 'big');
      expect(snapshot).toMatchObject({ count: 249, truncated: true });
      expect(snapshot.users).toHaveLength(200);
      expect(snapshot.users[0]).toEqual({ user: 'user-0', status: 'online', lastSeenAt: null });
      presence.disconnected('user-0', 'c-user-0');
      await pass(1_000);
      expect(ada.heard).toEqual([]);
      presence.forget(ada);
    });
  });

  describe('status', () => {
    it('freezes the last seen time of a user who hides', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      await presence.choose('bob', 'invisible');
      const hiddenAt = new Date().toISOString();
      await pass(60_000);
      presence.connected('bob', 'b2', 'invisible');
      presence.disconnected('bob', 'b1');
      presence.disconnected('bob', 'b2');
      await pass(60_000);
      expect(ada.heard).toEqual([{ user: 'bob', status: 'offline', lastSeenAt: hiddenAt }]);
      expect(db.seen.get('bob')!.toISOString()).toBe(hiddenAt);
      const { count, users: seen } = await presence.watch(new Listener('bob'), 'r');
      expect(count).toBe(0);
      expect(seen.find(({ user }) => user === 'bob')).toEqual({ user: 'bob', status: 'offline', lastSeenAt: hiddenAt });
    });

    it('shows no connection whose handshake knew an older choice', async () => {
      room('r', 'ada', 'bob');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      await presence.choose('bob', 'invisible');
      presence.connected('bob', 'b1', 'online');
      await pass(1_000);
      expect(ada.heard).toEqual([]);
    });

    it('keeps the order of the choices of one user', async () => {
      presence.connected('bob', 'b1', 'online');
      db.turns = [9, 1, 5];
      await Promise.all([presence.choose('bob', 'away'), presence.choose('bob', 'invisible'), presence.choose('bob', 'busy')]);
      expect(db.statuses.get('bob')).toBe('busy');
    });

    it('shows nothing that could not be stored', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      const ada = new Listener('ada');
      await presence.watch(ada, 'r');
      db.isDown = true;
      await expect(presence.choose('bob', 'busy')).rejects.toMatchObject({ code: 'unavailable' });
      db.isDown = false;
      await presence.choose('bob', 'away');
      await pass(1_000);
      expect(ada.statuses).toEqual(['bob away']);
    });
  });

  describe('last seen', () => {
    it('is known at once, and stored again when the database was away', async () => {
      room('r', 'ada', 'bob');
      presence.connected('bob', 'b1', 'online');
      await pass(10);
      const at = new Date();
      db.isDown = true;
      presence.disconnected('bob', 'b1');
      await pass(100);
      expect(db.seen.size).toBe(0);
      db.isDown = false;
      const { users: seen } = await presence.watch(new Listener('ada'), 'r');
      expect(seen.find(({ user }) => user === 'bob')!.lastSeenAt).toBe(at.toISOString());
      await pass(1_000);
      expect(db.seen.get('bob')).toEqual(at);
    });

    it('is flushed at the end', async () => {
      presence.connected('bob', 'b1', 'online');
      presence.disconnected('bob', 'b1');
      await lastSeen.beforeApplicationShutdown();
      presence.connected('cid', 'c1', 'online');
      presence.disconnected('cid', 'c1');
      await lastSeen.beforeApplicationShutdown();
      expect([...db.seen.keys()]).toEqual(['bob', 'cid']);
    });
  });
});
