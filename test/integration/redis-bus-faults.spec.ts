import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { encodeNote, encodeSignal, originOf } from '../../src/bus/bus-codec.js';
import { MAX_BYTES_UNDER_WAY } from '../../src/bus/redis-outbox.js';
import { Ear, logEvent, noteOf } from '../contracts/room-bus.contract.js';
import { BUS_PREFIX, type OwnBus, startRedisBus } from '../support/redis-buses.js';
import { Stopwatch, timed } from '../support/stopwatch.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

const isUp = ({ bus }: OwnBus) => bus.health().status === 'up';
const channelOf = (room: string) => `${BUS_PREFIX}:room:{${room}}`;

describe('the bus on a Redis that fails', () => {
  let redis: TestRedis;
  let room: string;
  let ending: (() => unknown)[] = [];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    redis = await TestRedis.start();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    room = randomUUID();
  });
  afterEach(endAll);

  async function endAll(): Promise<void> {
    for (const end of ending.reverse()) await end();
    ending = [];
  }

  async function join(options: Parameters<typeof startRedisBus>[1] = {}): Promise<OwnBus> {
    const own = startRedisBus(redis.url, options);
    ending.push(own.close);
    await until(() => isUp(own), 'the bus is up');
    return own;
  }

  async function proxied(): Promise<{ proxy: TcpProxy; url: string }> {
    const way = await redis.proxied();
    ending.push(() => way.proxy.close());
    return way;
  }

  /** Publishes one note after the other until one of them is heard. */
  async function heardAgain(inRoom: string, from: OwnBus, ear: Ear, patienceMs = 10_000): Promise<void> {
    let seq = 1_000;
    const before = ear.notes.length;
    await until(
      () => {
        from.bus.publishNote(noteOf(inRoom, logEvent(++seq)));
        return ear.notes.length > before;
      },
      'a note is heard again',
      patienceMs,
    );
  }

  it('hears what it follows again when Redis was killed and restarted under traffic', async () => {
    const [here, there] = [await join(), await join()];
    const ear = new Ear(there.bus);
    await there.bus.follow(room);
    let seq = 0;
    const traffic = setInterval(() => here.bus.publishNote(noteOf(room, logEvent(++seq))), 1);
    ending.push(() => clearInterval(traffic));
    await until(() => ear.notes.length > 20, 'notes come');
    await redis.down();
    await until(() => !isUp(here) && !isUp(there), 'both know that Redis is away');
    expect(here.bus.health().reason).toBe('the connection that publishes is away');
    const before = ear.notes.length;
    await redis.up();
    await until(() => ear.notes.length > before + 20, 'notes come again');
    await until(() => isUp(here) && isUp(there), 'both are up again');
    // None was kept for later, and none came again.
    const heads = ear.heads(room);
    expect(heads).toEqual([...new Set(heads)].sort((a, b) => a - b));
    expect(here.bus.outbox.dropped).toBeGreaterThan(0);
    expect(here.bus.outbox.bytesUnderWay).toBeLessThan(100_000);
  });

  it('does not mind FLUSHALL', async () => {
    const [here, there] = [await join(), await join()];
    const ear = new Ear(there.bus);
    await there.bus.follow(room);
    await redis.with((client) => client.flushall());
    here.bus.publishNote(noteOf(room, logEvent(1)));
    await until(() => ear.heads(room).includes(1), 'the note has come');
    expect([isUp(here), isUp(there)]).toEqual([true, true]);
  });

  it('asks for 10,000 rooms at once, and again when the connection was lost', async () => {
    const own = await join();
    const rooms = Array.from({ length: 10_000 }, () => randomUUID());
    const commands = () =>
      redis.with(async (client) => Number(/cmdstat_subscribe:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]));
    const subscribed = () => redis.with(async (client) => (await client.pubsub('NUMSUB', channelOf(rooms.at(-1)!)))[1]);
    const before = await commands();
    const following = await timed(Promise.all(rooms.map((id) => own.bus.follow(id))));
    expect(await subscribed()).toBe(1);
    await redis.with((client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    await until(async () => (await subscribed()) === 0 || !isUp(own), 'the connection is lost');
    const hearing = await timed(until(async () => (await subscribed()) === 1, 'the rooms are heard again'));
    await until(() => isUp(own), 'it says so');
    expect((await commands()) - before).toBeLessThanOrEqual(25);
    expect(following.waitedMs).toBeLessThan(1_000);
    expect(hearing.waitedMs).toBeLessThan(1_500);
  });

  it('is not up because sockets are open: where it hears is not where it publishes', async () => {
    const other = await TestRedis.startOwn();
    ending.push(() => other.stop());
    const own = startRedisBus(redis.url, { hearsVia: other.url });
    ending.push(own.close);
    await other.with(async (client) => {
      const made = async () => Number(/total_connections_received:(\d+)/.exec(await client.info('stats'))?.[1]);
      await until(async () => (await made()) > 2, 'it hears by a new connection');
    });
    const { status, reason } = own.bus.health();
    expect(status).toBe('down');
    expect(reason).toContain('does not come back over 1 of 1');
  });

  it('starts, publishes and follows without Redis, and joins when it comes', async () => {
    await redis.down();
    const own = startRedisBus(redis.url);
    ending.push(own.close);
    const ear = new Ear(own.bus);
    expect((await timed(own.bus.follow(room))).waitedMs).toBeLessThan(1_200);
    own.bus.publishNote(noteOf(room, logEvent(1)));
    expect(ear.heads(room)).toEqual([1]);
    await redis.up();
    await until(() => isUp(own), 'it is up');
    await heardAgain(room, await join(), ear);
  });

  it('ignores what is no message of the bus, and what is on the wrong channel', async () => {
    const own = await join();
    const ear = new Ear(own.bus);
    await own.bus.follow(room);
    const origin = originOf(randomUUID());
    const good = encodeNote(origin, noteOf(room, logEvent(1)));
    const signal = (kind: 'user' | 'everybody' | 'room') =>
      encodeSignal(origin, { audience: { kind, user: 'u', room: 'r' }, frame: Buffer.alloc(1), key: 'k' });
    await redis.with(async (client) => {
      const all = `${BUS_PREFIX}:all`;
      for (const message of ['', 'hello', good.subarray(0, 40)]) {
        await client.publish(channelOf(room), message);
        await client.publish(all, message);
      }
      await client.publish(all, good);
      await client.publish(all, signal('room'));
      await client.publish(channelOf(room), signal('user'));
      await client.publish(channelOf(room), signal('everybody'));
      await client.publish(channelOf(room), good);
    });
    await until(() => ear.notes.length > 0, 'the good one has come');
    expect([ear.notes.length, ear.signals.length, ear.acts.length]).toEqual([1, 0, 0]);
  });

  describe('for as long as its own patience lasts, at the same time', () => {
    afterAll(endAll);

    it.concurrent('lets go of a room that nobody follows any more', async () => {
      const room = randomUUID();
      const own = await join();
      await own.bus.follow(room);
      const subscribers = () => redis.with(async (client) => (await client.pubsub('NUMSUB', channelOf(room)))[1]);
      expect(await subscribers()).toBe(1);
      own.bus.unfollow(room);
      await until(async () => (await subscribers()) === 0, 'Redis no longer sends the room');
      await own.bus.follow(room);
      expect(await subscribers()).toBe(1);
    });

    it.concurrent('finds within ten seconds that a connection is deaf, and hears again', async () => {
      const room = randomUUID();
      const { proxy, url } = await proxied();
      const [here, there] = [await join(), await join({ hearsVia: url })];
      const ear = new Ear(there.bus);
      await there.bus.follow(room);
      proxy.deafen();
      const watch = new Stopwatch();
      await until(() => !isUp(there), 'it says so');
      await heardAgain(room, here, ear);
      expect(watch.stop()).toBeLessThan(10_000);
      await until(() => isUp(there), 'it says so');
      expect(isUp(here)).toBe(true);
    });

    it.concurrent('makes a connection that hangs while publishing anew', async () => {
      const room = randomUUID();
      const { proxy, url } = await proxied();
      const [here, there] = [await join({ publishesVia: url }), await join()];
      const ear = new Ear(there.bus);
      await there.bus.follow(room);
      proxy.stall();
      const watch = new Stopwatch();
      await until(() => !isUp(here), 'it says so');
      await heardAgain(room, here, ear);
      expect(watch.stop()).toBeLessThan(10_000);
      await until(() => isUp(here), 'it is up again');
      expect(isUp(there)).toBe(true);
    });

    it.concurrent('holds a bounded number of bytes for a Redis that hangs, and follows within a second', async () => {
      const room = randomUUID();
      const { proxy, url } = await proxied();
      const own = await join({ publishesVia: url, hearsVia: url });
      const event = logEvent(1, 'x'.repeat(100_000));
      proxy.freeze();
      for (let index = 0; index < 500; index++) own.bus.publishNote(noteOf(room, event));
      expect(own.bus.outbox.bytesUnderWay).toBeGreaterThan(MAX_BYTES_UNDER_WAY / 2);
      expect(own.bus.outbox.bytesUnderWay).toBeLessThan(MAX_BYTES_UNDER_WAY + 200_000);
      expect(own.bus.outbox.dropped).toBeGreaterThan(400);
      expect((await timed(own.bus.follow(room))).waitedMs).toBeLessThan(1_200);
      await until(() => own.bus.outbox.bytesUnderWay === 0, 'what was under way is given up');
      expect(isUp(own)).toBe(false);
      proxy.thaw();
      await until(() => isUp(own), 'it is up again');
    });
  });
});
