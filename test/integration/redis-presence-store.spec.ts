import { afterAll, beforeAll, describe } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { describePresenceStore } from '../contracts/presence-store.contract.js';
import { PresenceInstance } from '../support/presence-instance.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { TestRedis } from '../support/test-redis.js';

/** A busy machine may take long to answer. */
const PATIENT = { answerMs: 5_000 };

describe('over Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  afterAll(() => redis.stop());

  describePresenceStore('Redis', async () => {
    const instance = await PresenceInstance.start(redis.url, randomUUID(), PATIENT);
    return { store: instance.store, close: () => instance.leave() };
  });
});

describe('over Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.stop());

  describePresenceStore('Redis Cluster', async () => {
    const instance = await PresenceInstance.start(cluster.urls, randomUUID(), PATIENT, true);
    return { store: instance.store, close: () => instance.leave() };
  });
});
