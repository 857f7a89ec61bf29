import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { AuthModule } from '../../src/auth/auth.module.js';
import type { Principal } from '../../src/auth/principal.js';
import { UserDirectory } from '../../src/auth/user-directory.js';
import { BusModule } from '../../src/bus/bus.module.js';
import { RoomBus } from '../../src/bus/room-bus.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { LogModule } from '../../src/log/log.module.js';
import { RoomLog } from '../../src/log/room-log.js';
import { PresenceModule } from '../../src/presence/presence.module.js';
import { PresenceService } from '../../src/presence/presence.service.js';
import { TypingService } from '../../src/presence/typing.service.js';
import type { Watcher } from '../../src/presence/watched-users.js';
import type { PresenceView, RoomType } from '../../src/protocol/index.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

class Listener implements Watcher {
  readonly heard: PresenceView[] = [];

  constructor(readonly userId: string) {}

  deliver(frame: Buffer): void {
    this.heard.push((JSON.parse(frame.subarray(frame[1]! < 126 ? 2 : 4).toString()) as { data: PresenceView }).data);
  }
}

describe('presence over PostgreSQL', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let sql: DataSource;
  let presence: PresenceService;

  beforeEach(async () => {
    database = await createTestDatabase();
    module = await start();
    sql = module.get(DataSource);
    presence = module.get(PresenceService);
  });

  afterEach(async () => {
    await module.close();
    await database.drop();
  });

  async function start(): Promise<TestingModule> {
    const provided = { databaseUrl: database.url, jwtSecrets: ['a-secret-of-the-tests-0123456789-abcdefghij'] };
    const config = new Config(loadSettings({ DATABASE_POOL: '4' }), provided);
    const made = await Test.createTestingModule({
      imports: [ConfigModule.register(config), DatabaseModule, BusModule, AuthModule, LogModule, PresenceModule],
    }).compile();
    await made.init();
    return made;
  }

  async function room(type: RoomType, ...users: string[]): Promise<string> {
    const id = randomUUID();
    await sql.query(`INSERT INTO rooms (id, type, epoch, member_count, created_by) VALUES ($1, $2, 'e1', $3, 'ada')`, [
      id,
      type,
      users.length,
    ]);
    await sql.query(`INSERT INTO memberships (room_id, user_id, role) SELECT $1, u, 'member' FROM unnest($2::text[]) u`, [id, users]);
    return id;
  }

  /** As a handshake does. */
  async function connect(userId: string, connection: string): Promise<void> {
    const principal: Principal = { userId, name: null, roles: [], sessionId: null, tokenId: null, issuedAt: 0, expiresAt: 0 };
    const { status } = await module.get(UserDirectory).open(principal);
    presence.connected(userId, connection, status);
  }

  function kick(id: string, user: string): Promise<void> {
    return module.get(RoomLog).transact(id, async (tx) => {
      await tx.manager.query('DELETE FROM memberships WHERE room_id = $1 AND user_id = $2', [id, user]);
      tx.record('member.left', { user, data: { user, role: 'member', by: 'bob', reason: 'kicked' }, ends: 'kicked' });
    });
  }

  it('shows members as they are, and as they change', async () => {
    const id = await room('private', 'ada', 'bob');
    await connect('ada', 'a1');
    const ada = new Listener('ada');
    expect(await presence.watch(ada, id)).toEqual({
      count: 1,
      users: [
        { user: 'ada', status: 'online', lastSeenAt: null },
        { user: 'bob', status: 'offline', lastSeenAt: null },
      ],
      truncated: false,
    });
    await connect('bob', 'b1');
    await until(() => expect(ada.heard).toEqual([{ user: 'bob', status: 'online', lastSeenAt: null }]));
    presence.disconnected('bob', 'b1');
    await until(() => expect(ada.heard).toHaveLength(2));
    const { users } = await presence.watch(new Listener('ada'), id);
    expect(users[1]).toEqual(ada.heard[1]);
  });

  it('keeps the chosen status and the last seen time over a restart', async () => {
    const id = await room('private', 'ada', 'bob', 'cid');
    await Promise.all([connect('ada', 'a1'), connect('bob', 'b1'), connect('cid', 'c1')]);
    await presence.choose('ada', 'busy');
    await presence.choose('cid', 'invisible');
    const { users: before } = await presence.watch(new Listener('bob'), id);
    presence.disconnected('bob', 'b1');
    await module.close();

    module = await start();
    presence = module.get(PresenceService);
    await Promise.all([connect('ada', 'a2'), connect('cid', 'c2')]);
    const { count, users } = await presence.watch(new Listener('bob'), id);
    expect(count).toBe(1);
    expect(users[0]).toEqual({ user: 'ada', status: 'busy', lastSeenAt: null });
    expect(users[1]).toEqual({ user: 'bob', status: 'offline', lastSeenAt: expect.any(String) });
    expect(users[2]).toEqual(before[2]);
    expect(users[2]).toEqual({ user: 'cid', status: 'offline', lastSeenAt: expect.any(String) });
  });

  it('includes who joins by the log', async () => {
    const id = await room('public', 'ada');
    const ada = new Listener('ada');
    await presence.watch(ada, id);
    await connect('bob', 'b1');
    await module.get(RoomLog).join(id, 'bob');
    await until(() => expect(ada.heard).toEqual([{ user: 'bob', status: 'online', lastSeenAt: null }]));
  });

  it('ends with a kick, at its place in the log', async () => {
    const id = await room('private', 'ada', 'bob');
    const [ada, bob] = [new Listener('ada'), new Listener('bob')];
    await presence.watch(ada, id);
    await presence.watch(bob, id);
    await kick(id, 'ada');
    await connect('bob', 'b1');
    await until(() => expect(bob.heard).toHaveLength(1));
    expect(ada.heard).toEqual([]);
    await expect(presence.watch(ada, id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is for members', async () => {
    const [open, closed] = [await room('public', 'bob'), await room('private', 'bob')];
    const [ada, typing] = [new Listener('ada'), module.get(TypingService)];
    await connect('ada', 'a1');
    await expect(presence.watch(ada, open)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(typing.start('ada', open, 'a1')).rejects.toMatchObject({ code: 'forbidden' });
    const refusals = await Promise.allSettled([
      presence.watch(ada, closed),
      typing.start('ada', closed, 'a1'),
      typing.stop('ada', closed, 'a1'),
      presence.watch(ada, randomUUID()),
    ]);
    const errors = refusals.map((refusal) => (refusal as PromiseRejectedResult).reason as { code: string; message: string });
    expect(new Set(errors.map(({ code, message }) => `${code} ${message}`)).size).toBe(1);
    expect(errors[0]!.code).toBe('not_found');
  });

  it('loses no member and no change, however watching, joining and kicking interleave', async () => {
    const id = await room('public', 'ada');
    const users = Array.from({ length: 12 }, (_, index) => `u${index}`);
    const log = module.get(RoomLog);
    await Promise.all(users.map((user) => connect(user, `c-${user}`)));
    const watchers = Array.from({ length: 6 }, () => new Listener('ada'));
    const known = watchers.map(() => new Map<string, string>());
    await Promise.all([
      ...users.map(async (user, index) => {
        await log.join(id, user);
        if (index % 3 === 0) await kick(id, user);
        if (index % 4 === 1) await presence.choose(user, 'away');
      }),
      ...watchers.map(async (watcher, index) => {
        for (let turn = 0; turn < index; turn++) await sql.query('SELECT 1');
        const snapshot = await presence.watch(watcher, id);
        for (const { user, status } of snapshot.users) known[index]!.set(user, status);
      }),
    ]);
    await until(() => {
      for (const [index, watcher] of watchers.entries()) {
        // A frame may come while the snapshot is on its way to its caller, never before it was made.
        const seen = new Map([...known[index]!, ...watcher.heard.map(({ user, status }) => [user, status] as const)]);
        for (const [number, user] of users.entries()) {
          if (number % 3 !== 0) expect(seen.get(user)).toBe(number % 4 === 1 ? 'away' : 'online');
        }
      }
    });
    const { users: last } = await presence.watch(new Listener('ada'), id);
    expect(last.map(({ user }) => user).sort()).toEqual(['ada', ...users.filter((_, number) => number % 3 !== 0).sort()]);
  });

  it('types until the message', async () => {
    const id = await room('private', 'ada', 'bob');
    const typing = module.get(TypingService);
    const heard: unknown[] = [];
    module.get(RoomBus).listen({ onSignal: ({ frame }) => heard.push(JSON.parse(frame.subarray(2).toString())) });
    await connect('ada', 'a1');
    await typing.start('ada', id, 'a1');
    await module.get(RoomLog).send({ room: id, sender: 'ada', clientId: 'x', text: 'hi', meta: {} });
    expect(heard).toEqual([
      { event: 'typing', room: id, data: { user: 'ada', active: true } },
      { event: 'typing', room: id, data: { user: 'ada', active: false } },
    ]);
  });
});

async function until(check: () => void): Promise<void> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
