import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { LocalBus } from '../../src/bus/local-bus.js';
import { type BusPair, describeRoomBus } from '../contracts/room-bus.contract.js';
import { startRedisBus } from '../support/redis-buses.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { TestRedis } from '../support/test-redis.js';

// A contract's test makes a listener fail, which is logged.
Logger.overrideLogger(false);

describeRoomBus('local', 'whole', () => {
  const bus = new LocalBus();
  return Promise.resolve({ here: bus, there: bus, close: () => Promise.resolve() });
});

function pairOn(urls: string, cluster: boolean): Promise<BusPair> {
  const [here, there] = [startRedisBus(urls, { cluster }), startRedisBus(urls, { cluster })];
  const close = () => {
    here.close();
    there.close();
    return Promise.resolve();
  };
  return Promise.resolve({ here: here.bus, there: there.bus, close });
}

describe('with one Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  afterAll(() => redis.stop());
  describeRoomBus('Redis', 'head', () => pairOn(redis.url, false));
});

describe('with a cluster of three', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.stop());
  describeRoomBus('Redis Cluster', 'head', () => pairOn(cluster.urls, true));
});
