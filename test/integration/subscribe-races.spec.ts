import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChatServer } from '../support/chat-server.js';
import { Race } from '../support/race.js';
import { seedsOf } from '../support/seeded.js';

const RUNS = 24;

let server: ChatServer;

beforeAll(async () => {
  server = await ChatServer.start();
});

afterAll(() => server.close());

describe('subscribing while others are kicked, added, join, leave and send', () => {
  // The name of a failed test says its seed: PARLEY_SEED=<seed> replays it.
  it.each(seedsOf(RUNS))('hears each event once, in order, and none past the end of access (PARLEY_SEED=%i)', async (seed) => {
    const race = new Race(seed, [server]);
    try {
      await race.run();
      await race.settle();
      expect((await race.judge()).problems).toEqual([]);
    } finally {
      await race.end();
    }
  });
});
