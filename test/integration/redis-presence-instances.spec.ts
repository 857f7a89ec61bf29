import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { PRESENCE_TIMES, type PresenceTimes } from '../../src/presence/presence-lease.js';
import { PresenceInstance } from '../support/presence-instance.js';
import { timed } from '../support/stopwatch.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

/** As in production, but for the time that it takes; and a busy machine may take long to answer. */
const FAST: PresenceTimes = { answerMs: 5_000, beatMs: 200, leaseMs: 1_500, lingerMs: 300, graceMs: 300, claimMs: 500, rejoinMs: 300 };

describe('presence of several instances over Redis', () => {
  let redis: TestRedis;
  let prefix: string;
  let one: PresenceInstance;
  let two: PresenceInstance;
  let others: PresenceInstance[];
  let { answerMs } = FAST;

  beforeEach(async () => {
    redis = await TestRedis.start();
    prefix = randomUUID();
    others = [];
    [one, two] = [await start(), await start()];
  });

  afterEach(async () => {
    for (const instance of others) await instance.kill();
    await redis.stop();
  });

  async function start(): Promise<PresenceInstance> {
    const instance = await PresenceInstance.start(redis.url, prefix, { ...FAST, answerMs });
    others.push(instance);
    return instance;
  }

  const users = (count: number) => Array.from({ length: count }, (_, index) => `user-${index}`);
  const connectAll = (instance: PresenceInstance, names: string[], device: string) =>
    Promise.all(names.map((user) => instance.store.connect(user, `${user}-${device}`, 'online')));
  const visible = async (instance: PresenceInstance, names: string[]) => (await instance.store.visible(names)).size;
  const statusesOf = (changes: ({ status: string } | null)[]) => changes.map((change) => change?.status ?? null);

  async function keys(): Promise<string[]> {
    return redis.with((client) => client.keys('*'));
  }

  it('shows a user from the first device anywhere to the last anywhere, each change once to each instance', async () => {
    const results = [
      await one.store.connect('ada', 'a1', 'busy'),
      await two.store.connect('ada', 'a2', 'online'),
      await two.store.connect('ada', 'a3', 'online'),
      await one.store.disconnect('ada', 'a1'),
      await two.store.disconnect('ada', 'a3'),
      await two.store.disconnect('ada', 'a2'),
    ];
    expect(statusesOf(results)).toEqual(['busy', null, null, null, null, 'offline']);
    for (const instance of [one, two]) await until(() => instance.saidOf('ada').length === 2, 'both changes are heard');
    expect([one.saidOf('ada'), two.saidOf('ada')]).toEqual([
      ['busy', 'offline'],
      ['busy', 'offline'],
    ]);
    expect(one.changes).toEqual(two.changes);
    expect([one.uncalled, two.uncalled]).toEqual([[], []]);
  });

  it('changes a status once, though every instance is told of the choice', async () => {
    await one.store.connect('ada', 'a1', 'online');
    await two.store.connect('ada', 'a2', 'online');
    const three = await start();
    const results = await Promise.all([one, two, three].map(({ store }) => store.choose('ada', 'away')));
    expect(statusesOf(results).filter((status) => status !== null)).toEqual(['away']);
    await one.store.connect('bob', 'b', 'online');
    await until(() => three.saidOf('bob').length === 1, 'what came later is heard');
    expect(three.saidOf('ada')).toEqual(['away']);
    expect(await two.store.visible(['ada'])).toEqual(new Map([['ada', 'away']]));
  });

  it('does not show whom another instance knows to hide', async () => {
    await one.store.connect('ada', 'a1', 'online');
    await one.store.choose('ada', 'invisible');
    expect(await two.store.connect('ada', 'a2', 'online')).toBeNull();
    expect((await two.store.visible(['ada'])).size).toBe(0);
    expect(await one.store.disconnect('ada', 'a1')).toBeNull();
    expect(await two.store.disconnect('ada', 'a2')).toBeNull();
  });

  it('agrees on many devices that come and go at once on both', async () => {
    const names = users(300);
    for (const device of ['x', 'y']) await Promise.all([connectAll(one, names, `1${device}`), connectAll(two, names, `2${device}`)]);
    const gone = names.filter((_, index) => index % 2 === 0);
    const results = await Promise.all(
      gone.flatMap((user) => [
        one.store.disconnect(user, `${user}-1x`),
        two.store.disconnect(user, `${user}-2x`),
        one.store.disconnect(user, `${user}-1y`),
        two.store.disconnect(user, `${user}-2y`),
      ]),
    );
    expect(results.filter((change) => change?.status === 'offline')).toHaveLength(gone.length);
    for (const instance of [one, two]) expect(await visible(instance, names)).toBe(names.length - gone.length);
    await until(() => one.changes.length === names.length + gone.length, 'all is heard');
    for (const user of names) expect(one.saidOf(user)).toEqual(gone.includes(user) ? ['online', 'offline'] : ['online']);
  });

  it('ends the users of an instance that died, once and in few messages, and not those with another device', async () => {
    const names = users(2_000);
    await connectAll(one, names, '1');
    const elsewhere = names.slice(0, 50);
    await connectAll(two, elsewhere, '2');
    const three = await start();
    await until(() => two.changes.length === names.length, 'all have come');
    let messages = 0;
    let killedAt = 0;
    await redis.with(async (client) => {
      await client.subscribe(`${prefix}:presence:changes`);
      client.on('message', () => messages++);
      killedAt = Date.now();
      await one.kill();
      const gone = names.length - elsewhere.length;
      await until(() => two.uncalled.length + three.uncalled.length === gone, 'somebody answers for each');
      await until(() => two.changes.length === names.length + gone, 'all is heard');
    });
    expect(messages).toBeLessThanOrEqual(64);
    expect(await visible(two, names)).toBe(elsewhere.length);
    const ended = [...two.uncalled, ...three.uncalled];
    expect(new Set(ended.map(({ user }) => user)).size).toBe(ended.length);
    const last = Math.max(...ended.map(({ at }) => at.getTime()));
    expect(Math.min(...ended.map(({ at }) => at.getTime()))).toBeGreaterThan(killedAt - 2 * FAST.leaseMs);
    expect(last).toBeLessThanOrEqual(Date.now());
    for (const user of elsewhere) expect(two.saidOf(user)).toEqual(['online']);
    const own = one.lifecycle.instanceId;
    await until(async () => !(await keys()).some((key) => key.includes(own)), 'nothing is kept of it');
  });

  it('goes on where an instance died that was ending the users of another', async () => {
    const names = users(500);
    await connectAll(one, names, '1');
    await one.kill();
    await until(() => two.uncalled.length > 0, 'one has begun');
    await two.kill();
    const three = await start();
    await until(async () => (await visible(three, names)) === 0, 'all are gone');
    const answered = new Set([...two.uncalled, ...three.uncalled].map(({ user }) => user));
    expect(answered.size).toBe(names.length);
  });

  it('lets the users of a draining instance come back elsewhere unseen; the others go together', async () => {
    const names = users(200);
    await connectAll(one, names, '1');
    one.lifecycle.drain();
    const back = names.slice(0, 150);
    for (const user of names) await one.store.disconnect(user, `${user}-1`);
    await connectAll(two, back, '2');
    await one.leave();
    await until(() => two.uncalled.length === 50, 'the others are gone');
    expect(await visible(two, names)).toBe(150);
    for (const user of back) expect(two.saidOf(user)).toEqual(['online']);
    for (const user of names.slice(150)) expect(two.saidOf(user)).toEqual(['online', 'offline']);
  });

  it('does not keep who has gone for as long as a slow drain takes', async () => {
    await one.store.connect('ada', 'a1', 'online');
    one.lifecycle.drain();
    await one.store.disconnect('ada', 'a1');
    await until(() => two.saidOf('ada').length === 2, 'she is gone, though the instance is not');
    expect(one.uncalled.map(({ user, status }) => [user, status])).toEqual([['ada', 'offline']]);
  });

  it('ends its users itself when it is the last one, and theirs who left before', async () => {
    await two.store.connect('bob', 'b1', 'online');
    await two.leave();
    await one.store.connect('ada', 'a1', 'online');
    one.lifecycle.drain();
    await one.store.disconnect('ada', 'a1');
    expect(one.uncalled).toEqual([]);
    await one.leave();
    expect(one.uncalled.map(({ user, status }) => `${user} ${status}`).sort()).toEqual(['ada offline', 'bob offline']);
    expect(await keys()).toEqual([]);
  });

  describe('while Redis', () => {
    beforeAll(() => {
      ({ answerMs } = PRESENCE_TIMES);
    });
    afterAll(() => {
      ({ answerMs } = FAST);
    });

    async function slowest(calls: (() => Promise<unknown>)[]): Promise<number> {
      const times = await Promise.all(
        calls.map(async (call) => {
          const { waitedMs } = await timed(call());
          return waitedMs;
        }),
      );
      return Math.max(...times);
    }

    it('hangs, answers from memory in time, and catches up', async () => {
      await one.store.connect('ada', 'a1', 'online');
      await two.store.connect('bob', 'b1', 'online');
      await until(() => two.changes.length === 2 && one.changes.length === 2, 'both are seen');
      redis.freeze();
      const first = await slowest([
        () => one.store.disconnect('ada', 'a1'),
        () => one.store.connect('cid', 'c1', 'busy'),
        () => one.store.visible(['ada', 'cid']),
      ]);
      expect(first).toBeLessThan(400);
      expect(one.saidOf('ada')).toEqual(['online', 'offline']);
      const many = users(100);
      const next = await slowest(many.map((user) => () => one.store.connect(user, user, 'online')));
      expect(next).toBeLessThan(50);
      expect(await one.store.visible(['ada', 'cid', 'user-7'])).toEqual(
        new Map([
          ['cid', 'busy'],
          ['user-7', 'online'],
        ]),
      );
      expect(one.store.isWhole).toBe(false);
      redis.thaw();
      await until(() => one.store.isWhole && two.store.isWhole, 'both are joined again');
      await until(async () => (await visible(two, ['ada', 'bob', 'cid', ...many])) === 102, 'the other knows all');
      expect(one.missed).toBeGreaterThan(1);
    });

    it('hangs for longer than leases live, ends nobody', async () => {
      const names = users(50);
      await connectAll(one, names, '1');
      await until(() => two.changes.length === 50, 'all are seen');
      redis.freeze();
      await until(() => !one.store.isWhole && !two.store.isWhole, 'both have noticed');
      const frozenAt = Date.now();
      await until(() => Date.now() - frozenAt > 2 * FAST.leaseMs, 'all leases have ended');
      redis.thaw();
      await until(() => one.store.isWhole && two.store.isWhole, 'both are joined again');
      const three = await start();
      await three.store.connect('bob', 'b1', 'online');
      await three.kill();
      await until(() => two.saidOf('bob').length === 2, 'what ended by now is reaped');
      expect(await visible(two, names)).toBe(50);
      expect(two.changes.filter(({ status }) => status === 'offline').map(({ user }) => user)).toEqual(['bob']);
    });

    it('is killed and comes back empty, is told all anew, and nobody is seen to go', async () => {
      const names = users(1_200);
      await connectAll(one, names, '1');
      await two.store.connect('bob', 'b1', 'online');
      await until(() => two.changes.length === 1_201, 'all are seen');
      await redis.down();
      await until(() => !one.store.isWhole && !two.store.isWhole, 'both have noticed');
      expect(await one.store.disconnect('user-0', 'user-0-1')).toMatchObject({ status: 'offline' });
      await one.store.choose('user-1', 'away');
      expect(await two.store.visible(['bob', 'user-1'])).toEqual(new Map([['bob', 'online']]));
      await redis.up();
      await until(() => one.store.isWhole && two.store.isWhole, 'both are joined again');
      expect(await visible(two, [...names, 'bob'])).toBe(1_200);
      expect(await two.store.visible(['user-1'])).toEqual(new Map([['user-1', 'away']]));
      expect(two.changes.filter(({ status }) => status === 'offline')).toEqual([]);
      expect(two.missed).toBeGreaterThan(1);
    });

    it('is flushed, notices and tells all anew', async () => {
      const names = users(100);
      await connectAll(one, names, '1');
      await redis.with((client) => client.flushall());
      await until(async () => (await visible(two, names)) === 100, 'all are there again');
      expect(two.changes.filter(({ status }) => status === 'offline')).toEqual([]);
    });

    it('has been flushed, does not lose an end', async () => {
      await one.store.connect('ada', 'a1', 'online');
      await redis.with((client) => client.flushall());
      expect(await one.store.disconnect('ada', 'a1')).toMatchObject({ status: 'offline' });
    });

    it('is not there at the start, serves from memory, and is joined later', async () => {
      await redis.down();
      const { result: three, waitedMs } = await timed(start());
      expect(waitedMs).toBeLessThan(2_000);
      expect(await three.store.connect('ada', 'a1', 'online')).toMatchObject({ status: 'online' });
      await redis.up();
      await until(async () => (await visible(two, ['ada'])) === 1, 'the others know of her');
    });
  });
});
