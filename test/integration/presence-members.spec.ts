import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ConfigModule } from '../../src/config/config.module.js';
import { Config } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/settings.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { Sql } from '../../src/database/sql.js';
import { MemoryPresenceStore } from '../../src/presence/memory-presence-store.js';
import { RoomMembers } from '../../src/presence/room-members.repository.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('members of watched rooms, in PostgreSQL', () => {
  let database: TestDatabase;
  let close: () => Promise<void>;
  let sql: DataSource;
  let store: MemoryPresenceStore;
  let members: RoomMembers;

  beforeAll(async () => {
    database = await createTestDatabase();
    const config = new Config(loadSettings({ DATABASE_POOL: '4' }), {
      databaseUrl: database.url,
      jwtSecrets: ['not used here, but of 32 bytes'],
    });
    const module = await Test.createTestingModule({ imports: [ConfigModule.register(config), DatabaseModule] }).compile();
    await module.init();
    close = () => module.close();
    sql = module.get(DataSource);
    store = new MemoryPresenceStore();
    members = new RoomMembers(module.get(Sql), store);
  });

  afterAll(async () => {
    await close();
    await database.drop();
  });

  async function room(...users: string[]): Promise<string> {
    const id = randomUUID();
    await sql.query(`INSERT INTO rooms (id, type, epoch, last_seq, member_count, created_by) VALUES ($1, 'private', 'e1', 7, $2, 'ada')`, [
      id,
      users.length,
    ]);
    await sql.query(`INSERT INTO memberships (room_id, user_id, role) SELECT $1, u, 'member' FROM unnest($2::text[]) u`, [id, users]);
    return id;
  }

  const many = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(5, '0')}`);

  it('reads members in order, with the head that they are as of', async () => {
    const id = await room('bob', 'ada', 'Zoe', 'éva', '😀');
    expect(await members.read(id)).toEqual({ epoch: 'e1', headSeq: 7, members: ['Zoe', 'ada', 'bob', 'éva', '😀'] });
    expect(await members.read(await room())).toEqual({ epoch: 'e1', headSeq: 7, members: [] });
  });

  it('reads up to 200 members, and none of more', async () => {
    const [full, large] = [await room(...many('full', 200)), await room(...many('large', 201))];
    expect((await members.read(full))!.members).toHaveLength(200);
    expect(await members.read(large)).toEqual({ epoch: 'e1', headSeq: 7, members: null });
  });

  it('answers each of a batch, with null where there is no room', async () => {
    const [one, other, deleted] = [await room('ada'), await room('bob'), await room('cid')];
    await sql.query('UPDATE rooms SET deleted_at = now() WHERE id = $1', [deleted]);
    const reads = await Promise.all([one, randomUUID(), other, deleted, one].map((id) => members.read(id)));
    expect(reads.map((read) => read?.members)).toEqual([['ada'], undefined, ['bob'], undefined, ['ada']]);
  });

  it('counts the visibly online members of each room, and samples 200', async () => {
    const users = many('user', 5_000);
    const [crowd, few, nobody] = [await room(...users.slice(0, 4_000)), await room(...users.slice(4_990), 'absent'), await room('absent')];
    await Promise.all(users.map((user, index) => store.connect(user, `c-${user}`, index % 10 === 0 ? 'invisible' : 'online')));
    const [inCrowd, inFew, inNobody] = await Promise.all([members.online(crowd), members.online(few), members.online(nobody)]);
    expect(inCrowd.count).toBe(3_600);
    expect(new Set(inCrowd.sample).size).toBe(200);
    expect(inCrowd.sample.every((user) => users.indexOf(user) % 10 !== 0 && users.indexOf(user) < 4_000)).toBe(true);
    expect(inFew).toMatchObject({ count: 9 });
    expect(inFew.sample.sort()).toEqual(users.slice(4_991));
    expect(inNobody).toEqual({ count: 0, sample: [] });
  });
});
