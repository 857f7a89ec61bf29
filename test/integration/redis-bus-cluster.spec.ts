import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { slotOf } from '../../src/bus/cluster-slots.js';
import { Ear, logEvent, noteOf } from '../contracts/room-bus.contract.js';
import { BUS_PREFIX, type OwnBus, startRedisBus } from '../support/redis-buses.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { until } from '../support/until.js';

const isUp = ({ bus }: OwnBus) => bus.health().status === 'up';
const channelOf = (room: string) => `${BUS_PREFIX}:room:{${room}}`;

describe('the bus on a Redis Cluster that fails', () => {
  let cluster: RedisCluster;
  let here: OwnBus;
  let there: OwnBus;
  let ear: Ear;
  /** Some on each node. */
  let rooms: string[];
  let seq = 0;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.stop());
  beforeEach(async () => {
    here = startRedisBus(cluster.urls, { cluster: true });
    there = startRedisBus(cluster.urls, { cluster: true });
    await until(() => isUp(here) && isUp(there), 'both are up');
    ear = new Ear(there.bus);
    rooms = Array.from({ length: 30 }, () => randomUUID());
    await Promise.all(rooms.map((room) => there.bus.follow(room)));
  });
  afterEach(() => {
    here.close();
    there.close();
  });

  const nodeOf = (room: string) => cluster.nodes[Math.floor(slotOf(room) / Math.ceil(16_384 / 3))]!;

  function publish(room: string): void {
    here.bus.publishNote(noteOf(room, logEvent(++seq)));
  }

  /** Resolves when a note of each room that is published from now on is heard. */
  async function allHeard(): Promise<void> {
    ear.notes.length = 0;
    await until(
      () => {
        const heard = new Set(ear.notes.map(({ room }) => room));
        const missing = rooms.filter((room) => !heard.has(room));
        for (const room of missing) publish(room);
        return missing.length === 0;
      },
      'every room is heard',
      15_000,
    );
  }

  it('names slots as Redis does, and has each channel on one node', async () => {
    expect(new Set(rooms.map((room) => nodeOf(room))).size).toBe(3);
    const [room] = rooms as [string];
    await cluster.on(nodeOf(room), async (client) => {
      expect(await client.cluster('KEYSLOT', channelOf(room))).toBe(slotOf(room));
      expect(await client.call('PUBSUB', 'SHARDNUMSUB', channelOf(room))).toEqual([channelOf(room), 1]);
    });
    await allHeard();
  });

  it('hears again when one master drops the subscribers, while the others go on', async () => {
    const [first] = cluster.nodes as [(typeof cluster.nodes)[0]];
    await cluster.on(first, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    const away = rooms.filter((room) => nodeOf(room) !== first);
    ear.notes.length = 0;
    for (const room of away) publish(room);
    await until(() => ear.notes.length === away.length, 'the others are heard');
    await allHeard();
    await until(() => isUp(here) && isUp(there), 'both are up');
  });

  it('says that one master is away, goes on with the others, and hears all when it is back', async () => {
    const [, second] = cluster.nodes as [unknown, (typeof cluster.nodes)[0]];
    await second.down();
    await until(() => !isUp(here) && !isUp(there), 'both say so');
    const others = rooms.filter((room) => nodeOf(room) !== second);
    ear.notes.length = 0;
    await until(() => {
      for (const room of others) publish(room);
      return new Set(ear.notes.map(({ room }) => room)).size === others.length;
    }, 'the others are heard');
    await second.up();
    await cluster.whole();
    await allHeard();
    await until(() => isUp(here) && isUp(there), 'both are up');
  });

  it('follows a slot to another node', async () => {
    const [room] = rooms as [string];
    const source = nodeOf(room);
    const target = cluster.nodes.find((node) => node !== source)!;
    const idOf = (node: typeof source) => cluster.on(node, async (client) => String(await client.cluster('MYID')));
    const move = async (to: typeof source) => {
      const id = await idOf(to);
      for (const node of [to, ...cluster.nodes.filter((other) => other !== to)]) {
        await cluster.on(node, (client) => client.cluster('SETSLOT', slotOf(room), 'NODE', id));
      }
    };
    await move(target);
    const subscribers = () =>
      cluster.on(target, async (client) => (await client.call('PUBSUB', 'SHARDNUMSUB', channelOf(room))) as [string, number]);
    await until(async () => (await subscribers())[1] === 1, 'the channel is heard where it lives now', 15_000);
    await allHeard();
    await move(source);
    await allHeard();
  });
});
