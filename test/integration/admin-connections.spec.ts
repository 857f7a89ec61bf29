import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RoomBus } from '../../src/bus/room-bus.js';
import { Lifecycle } from '../../src/config/lifecycle.js';
import { AdministratorClient } from '../support/administrator.js';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

interface View {
  id: string;
  user: string;
  instance: string;
  subscriptions: number;
}

const idOf = (client: ChatClient) => client.frames[0]!.data.connectionId as string;
const idsOf = (views: View[]) => views.map(({ id }) => id);

describe('connections, on two instances', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let here: ChatServer;
  let there: ChatServer;
  let root: AdministratorClient;
  beforeAll(async () => {
    [database, redis] = await Promise.all([createTestDatabase(), TestRedis.start()]);
    const settings = { DATABASE_URL: database.url, REDIS_URL: redis.url };
    [here, there] = [await ChatServer.start(settings), await ChatServer.start(settings)];
    root = new AdministratorClient(here);
    await joined();
  });
  afterAll(async () => {
    await Promise.all([here.close(), there.close()]);
    await redis.stop();
    await database.drop();
  });

  const joined = () => until(() => [here, there].every((server) => server.get(RoomBus).health().status === 'up'), 'both are joined');
  const instances = () => [here, there].map((server) => server.get(Lifecycle).instanceId);
  const user = () => `u-${randomUUID().slice(0, 8)}`;
  const list = async (query: string) => (await root.all(`/connections?${query}`, 2)) as View[];

  it('are listed from both, in pages that have each once, and by every filter', async () => {
    const [ann, bob] = [user(), user()];
    const room = await here.room(ann, 'private', [bob]);
    const clients = [];
    for (const server of [here, there, there]) clients.push(await server.connect(ann, { headers: { 'user-agent': 'Tester/1' } }));
    clients.push(await there.connect(bob));
    for (const client of [clients[1]!, clients[3]!]) await client.command('room.subscribe', { room });
    const ofAnn = clients.slice(0, 3).map(idOf).sort();
    const listed = await list(`user=${ann}`);
    expect(idsOf(listed)).toEqual(ofAnn);
    expect(listed.filter(({ instance }) => instance === instances()[1])).toHaveLength(2);
    expect(listed[0]).toMatchObject({
      user: ann,
      address: '127.0.0.1',
      userAgent: 'Tester/1',
      unsentBytes: 0,
      openedAt: expect.any(String),
    });
    expect(idsOf(await list(`room=${room}`))).toEqual([clients[1]!, clients[3]!].map(idOf).sort());
    expect(idsOf(await list(`user=${ann}&instance=${instances()[0]!}`))).toEqual([idOf(clients[0]!)]);
    expect(idsOf(await list(`user=${ann}&olderThanSeconds=3600`))).toEqual([]);
    expect(idsOf(await list('olderThanSeconds=0')).filter((id) => ofAnn.includes(id))).toEqual(ofAnn);
    expect(await root.done('GET', '/connections')).toMatchObject({ incomplete: [] });
    await Promise.all(clients.map((client) => client.close()));
    await until(async () => (await list(`user=${ann}`)).length === 0, 'they are gone');
  });

  it('one is closed by its id, wherever it is, and its user may come back', async () => {
    const ann = user();
    const [one, two] = [await there.connect(ann), await there.connect(ann)];
    expect(await root.done('DELETE', `/connections/${idOf(one)}?dryRun=true`)).toEqual({ dryRun: true, count: 1, incomplete: [] });
    await two.command('ping');
    expect(one.socket.readyState).toBe(one.socket.OPEN);
    expect(await root.done('DELETE', `/connections/${idOf(one)}`)).toEqual({ dryRun: false, count: 1, incomplete: [] });
    expect((await one.closed).code).toBe(4002);
    await two.command('ping');
    expect(await root.done('DELETE', `/connections/${idOf(one)}`)).toMatchObject({ count: 0 });
    await (await there.connect(ann)).close();
    await two.close();
  });

  it('all of a user are closed, on both instances, and nobody else is', async () => {
    const [ann, bob] = [user(), user()];
    const clients = [await here.connect(ann), await there.connect(ann), await there.connect(ann)];
    const other = await there.connect(bob);
    expect(await root.done('DELETE', `/connections?user=${ann}&dryRun=true`)).toMatchObject({ count: 3 });
    expect(await root.done('DELETE', `/connections?user=${ann}`)).toMatchObject({ count: 3, dryRun: false });
    expect(await Promise.all(clients.map(async (client) => (await client.closed).code))).toEqual([4002, 4002, 4002]);
    await other.command('ping');
    await other.close();
  });

  it('notices go to a user, to those who follow a room, and to everybody, on both instances', async () => {
    const [ann, bob] = [user(), user()];
    const room = await here.room(ann, 'public');
    const [mine, reading, other] = [await there.connect(ann), await there.connect(bob), await there.connect(bob)];
    await reading.command('room.subscribe', { room });
    const notify = (body: object) => root.done('POST', '/notices', { level: 'warning', text: 'x', ...body });
    await notify({ user: ann, text: 'to ann' });
    await notify({ room, text: 'to the room' });
    await notify({ user: bob, room, text: 'to bob, about the room' });
    await notify({ text: 'to all' });
    const noticesOf = async (client: ChatClient) => {
      await client.seen(({ event, data }) => event === 'notice' && data.text === 'to all');
      return client.frames.filter(({ event }) => event === 'notice').map(({ data }) => data as unknown);
    };
    const all = { level: 'warning', text: 'to all' };
    expect(await noticesOf(mine)).toEqual([{ level: 'warning', text: 'to ann' }, all]);
    expect(await noticesOf(reading)).toEqual([
      { level: 'warning', text: 'to the room', room },
      { level: 'warning', text: 'to bob, about the room', room },
      all,
    ]);
    expect(await noticesOf(other)).toEqual([{ level: 'warning', text: 'to bob, about the room', room }, all]);
    expect((await root.ask('POST', '/notices', { level: 'info', text: 'x', room: randomUUID() })).status).toBe(404);
    await Promise.all([mine, reading, other].map((client) => client.close()));
  });

  it('an instance that does not answer is named, within the second, and closes all the same without Redis', async () => {
    const ann = user();
    const client = await there.connect(ann);
    await redis.down();
    await until(() => here.get(RoomBus).health().status === 'down', 'Redis is missed');
    const page = await root.done('GET', `/connections?user=${ann}`);
    expect(page).toMatchObject({ items: [], incomplete: [instances()[1]] });
    const startedAt = performance.now();
    expect(await root.done('DELETE', `/connections?user=${ann}`)).toMatchObject({ incomplete: [instances()[1]] });
    expect((await client.closed).code).toBe(4002);
    // The second in which nobody answered, and the two that an act takes at most.
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    await redis.up();
    await joined();
    expect(await root.done('GET', '/connections')).toMatchObject({ incomplete: [] });
  });

  it('an instance that has left is not waited for', async () => {
    const third = await ChatServer.start({ DATABASE_URL: database.url, REDIS_URL: redis.url });
    const id = third.get(Lifecycle).instanceId;
    const listed = async () => ((await root.done('GET', '/statistics')).instances as { id: string }[]).map((each) => each.id);
    expect(await listed()).toEqual([...instances(), id]);
    await third.close();
    expect(await listed()).toEqual(instances());
    expect(await root.done('GET', '/connections')).toMatchObject({ incomplete: [] });
  });
});
