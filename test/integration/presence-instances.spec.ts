import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChatClient, type Frame } from '../support/chat-client.js';
import { Stopwatch, timed } from '../support/stopwatch.js';
import { startTestApp, type TestApp } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

describe('who is there, on two instances', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  /** What the first instance reaches Redis by: cut off, it is as good as dead to the other. */
  let proxy: TcpProxy;
  let one: TestApp;
  let two: TestApp;
  let clients: ChatClient[];

  beforeEach(async () => {
    [database, redis, clients] = [await createTestDatabase(), await TestRedis.start(), []];
    const way = await redis.proxied();
    proxy = way.proxy;
    one = await startTestApp({ DATABASE_URL: database.url, REDIS_URL: way.url });
    two = await startTestApp({ DATABASE_URL: database.url, REDIS_URL: redis.url });
  });

  afterEach(async () => {
    for (const client of clients) client.socket.terminate();
    await one.close();
    await two.close();
    await proxy.close();
    await redis.stop();
    await database.drop();
  });

  async function connect(server: TestApp, user: string): Promise<ChatClient> {
    const client = await ChatClient.connect(server.wsUrl, { token: server.token(user), patienceMs: 25_000 });
    clients.push(client);
    return client;
  }

  async function room(...members: string[]): Promise<string> {
    const response = await fetch(`${two.url}/v1/rooms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${two.token('watcher')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'private', members }),
    });
    return ((await response.json()) as { id: string }).id;
  }

  const isOf = (user: string) => (frame: Frame) => frame.event === 'presence.changed' && frame.data.user === user;
  const is = (user: string, status: string) => (frame: Frame) => isOf(user)(frame) && frame.data.status === status;
  const saidOf = (client: ChatClient, user: string) => client.frames.filter(isOf(user)).map(({ data }) => data.status as string);
  const typing = (active: boolean) => (frame: Frame) => frame.event === 'typing' && frame.data.active === active;

  async function watch(id: string): Promise<ChatClient> {
    const watcher = await connect(two, 'watcher');
    await watcher.command('presence.watch', { room: id });
    return watcher;
  }

  /** As a profile would show it to the watcher. */
  async function lastSeenOf(id: string, user: string): Promise<string | null> {
    const asker = await connect(two, 'watcher');
    const { users } = (await asker.command('presence.watch', { room: id })) as { users: { user: string; lastSeenAt: string | null }[] };
    return users.find((member) => member.user === user)!.lastSeenAt;
  }

  it('is seen from the other, by any device, with the status that was chosen on either', async () => {
    const id = await room('ann');
    const watcher = await watch(id);
    const laptop = await connect(one, 'ann');
    await watcher.seen(is('ann', 'online'));
    const phone = await connect(two, 'ann');
    await phone.command('presence.set', { status: 'busy' });
    await watcher.seen(is('ann', 'busy'));
    await laptop.close();
    await phone.command('presence.set', { status: 'away' });
    await watcher.seen(is('ann', 'away'));
    await phone.close();
    await watcher.seen(is('ann', 'offline'));
    expect(saidOf(watcher, 'ann')).toEqual(['online', 'busy', 'away', 'offline']);
  });

  it('is unseen to move when an instance drains; who does not come back goes once, and is last seen then', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `user-${index}`);
    const id = await room(...names);
    for (const name of names) await connect(one, name);
    const watcher = await watch(id);
    const before = Date.now();
    const stopped = one.close();
    await Promise.all(clients.slice(0, 30).map(({ closed }) => closed));
    const back = names.slice(0, 20);
    for (const name of back) await connect(two, name);
    await stopped;
    for (const name of names.slice(20)) await watcher.seen(is(name, 'offline'));
    for (const name of names) expect(saidOf(watcher, name)).toEqual(back.includes(name) ? [] : ['offline']);
    const seenAt = new Date((await lastSeenOf(id, 'user-29'))!).getTime();
    expect(seenAt).toBeGreaterThanOrEqual(before);
    expect(seenAt).toBeLessThanOrEqual(Date.now());
  }, 60_000);

  it('is gone within 30 seconds of the end of his instance, but for who has a device elsewhere', async () => {
    const id = await room('ann', 'bob');
    await connect(one, 'ann');
    const laptop = await connect(one, 'bob');
    await connect(two, 'bob');
    const watcher = await watch(id);
    proxy.down();
    const { result: gone, waitedMs } = await timed(watcher.seen(is('ann', 'offline')));
    expect(waitedMs).toBeLessThan(30_000);
    expect(saidOf(watcher, 'bob')).toEqual([]);
    await until(async () => (await lastSeenOf(id, 'ann')) === gone.data.lastSeenAt, 'it is stored when she was last seen');
    // The instance was cut off only: it serves on meanwhile, and its users are there again when it is back.
    expect(await laptop.command('presence.watch', { room: id })).toMatchObject({ truncated: false });
    proxy.up();
    await watcher.seen(is('ann', 'online'));
  }, 60_000);

  it('is told of typing on the other, which ends when that one falls silent', async () => {
    const id = await room('ann');
    const ann = await connect(one, 'ann');
    const watcher = await connect(two, 'watcher');
    await watcher.command('room.subscribe', { room: id });
    await ann.command('typing.start', { room: id });
    await watcher.seen(typing(true));
    proxy.down();
    await watcher.seen(typing(false));
  });

  it('types until he stops on his last device', async () => {
    const id = await room('ann', 'cid');
    const [laptop, phone, cid] = [await connect(one, 'ann'), await connect(two, 'ann'), await connect(two, 'cid')];
    const watcher = await connect(two, 'watcher');
    await watcher.command('room.subscribe', { room: id });
    const first = watcher.next(typing(true));
    await laptop.command('typing.start', { room: id });
    await first;
    const second = watcher.next(typing(true));
    await phone.command('typing.start', { room: id });
    await second;
    await laptop.command('typing.stop', { room: id });
    // By the same way, behind the stop.
    const other = await connect(one, 'cid');
    const said = watcher.next((frame) => typing(true)(frame) && frame.data.user === 'cid');
    await other.command('typing.start', { room: id });
    await said;
    expect(watcher.frames.some(typing(false))).toBe(false);
    await phone.command('typing.stop', { room: id });
    expect((await watcher.seen(typing(false))).data.user).toBe('ann');
    await cid.close();
  });

  it('costs nobody a command while Redis is away', async () => {
    const id = await room('ann');
    const watcher = await watch(id);
    await redis.down();
    const stopwatch = new Stopwatch();
    const ann = await connect(two, 'ann');
    await ann.command('presence.watch', { room: id });
    await ann.command('presence.set', { status: 'busy' });
    await ann.command('typing.start', { room: id });
    await watcher.seen(is('ann', 'busy'));
    expect(stopwatch.stop()).toBeLessThan(5_000);
    await redis.up();
    const far = await connect(one, 'watcher');
    await until(async () => {
      const { users } = (await far.command('presence.watch', { room: id })) as { users: { user: string; status: string }[] };
      return users.find(({ user }) => user === 'ann')?.status === 'busy';
    }, 'the other instance knows of her');
  });
});
