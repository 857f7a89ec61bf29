import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
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
  /** Beside them, one that drains. */
  let leaving: TestApp;
  let clients: ChatClient[] = [];

  beforeAll(async () => {
    [database, redis] = await Promise.all([createTestDatabase(), TestRedis.start()]);
    const way = await redis.proxied();
    proxy = way.proxy;
    const start = (url: string) => startTestApp({ DATABASE_URL: database.url, REDIS_URL: url });
    [one, two, leaving] = await Promise.all([start(way.url), start(redis.url), start(redis.url)]);
  });

  afterEach(disconnect);

  afterAll(async () => {
    disconnect();
    await Promise.all([one.close(), two.close(), leaving.close()]);
    await proxy.close();
    await redis.stop();
    await database.drop();
  });

  function disconnect(): void {
    for (const client of clients) client.socket.terminate();
    clients = [];
  }

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

  it('types until he stops on his last device', async () => {
    const id = await room('ann', 'cid');
    const [laptop, phone] = [await connect(one, 'ann'), await connect(two, 'ann'), await connect(two, 'cid')];
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
  });

  // These wait for the times of production: together.
  it.concurrent(
    'is unseen to move when an instance drains; who does not come back goes once, and is last seen then',
    async () => {
      const names = Array.from({ length: 30 }, (_, index) => `user-${index}`);
      const id = await room(...names);
      const there: ChatClient[] = [];
      for (const name of names) there.push(await connect(leaving, name));
      const watcher = await watch(id);
      const before = Date.now();
      const stopped = leaving.close();
      await Promise.all(there.map(({ closed }) => closed));
      const back = names.slice(0, 20);
      for (const name of back) await connect(two, name);
      await stopped;
      for (const name of names.slice(20)) await watcher.seen(is(name, 'offline'));
      for (const name of names) expect(saidOf(watcher, name)).toEqual(back.includes(name) ? [] : ['offline']);
      const seenAt = new Date((await lastSeenOf(id, 'user-29'))!).getTime();
      expect(seenAt).toBeGreaterThanOrEqual(before);
      expect(seenAt).toBeLessThanOrEqual(Date.now());
    },
    60_000,
  );

  it.concurrent(
    'is gone within 30 seconds of the end of his instance, but for who has a device elsewhere, and types no more',
    async () => {
      const id = await room('eve', 'bob', 'dan');
      await connect(one, 'eve');
      const laptop = await connect(one, 'bob');
      await connect(two, 'bob');
      const watcher = await watch(id);
      await watcher.command('room.subscribe', { room: id });
      await (await connect(one, 'dan')).command('typing.start', { room: id });
      await watcher.seen(typing(true));
      proxy.down();
      const [{ result: gone, waitedMs }, silent] = await Promise.all([
        timed(watcher.seen(is('eve', 'offline'))),
        watcher.seen(typing(false)),
      ]);
      expect(silent.data.user).toBe('dan');
      expect(waitedMs).toBeLessThan(30_000);
      expect(saidOf(watcher, 'bob')).toEqual([]);
      await until(async () => (await lastSeenOf(id, 'eve')) === gone.data.lastSeenAt, 'it is stored when she was last seen');
      // The instance was cut off only: it serves on meanwhile, and its users are there again when it is back.
      expect(await laptop.command('presence.watch', { room: id })).toMatchObject({ truncated: false });
      proxy.up();
      await watcher.seen(is('eve', 'online'));
    },
    60_000,
  );

  it('costs nobody a command while Redis is away', async () => {
    const id = await room('fay');
    const watcher = await watch(id);
    await redis.down();
    const stopwatch = new Stopwatch();
    const fay = await connect(two, 'fay');
    await fay.command('presence.watch', { room: id });
    await fay.command('presence.set', { status: 'busy' });
    await fay.command('typing.start', { room: id });
    await watcher.seen(is('fay', 'busy'));
    expect(stopwatch.stop()).toBeLessThan(5_000);
    await redis.up();
    const far = await connect(one, 'watcher');
    await until(async () => {
      const { users } = (await far.command('presence.watch', { room: id })) as { users: { user: string; status: string }[] };
      return users.find(({ user }) => user === 'fay')?.status === 'busy';
    }, 'the other instance knows of her');
  });
});
