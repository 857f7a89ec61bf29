import assert from 'node:assert/strict';
import { CommandError, refusedUpgrade } from '../../support/chat-client.js';
import { Race, type RaceServer } from '../../support/race.js';
import { Random } from '../../support/seeded.js';
import type { FaultCluster, Instance } from '../fault-cluster.js';
import type { Load } from '../load.js';
import type { Attempt } from '../oracle.js';
import { type Extent, type Outcome, type Scenario, underLoad } from '../scenario.js';

const HOUR_MS = 3_600_000;

export const MANY_INSTANCES: readonly Scenario[] = [
  { name: 'the same clientId at two instances at once', run: sameClientId },
  { name: 'one draft of a batch refused by the database', run: refusedDraft },
  { name: 'subscribe, kick, join and send interleaved', run: interleaved },
  { name: 'clock of one instance an hour off', run: clockOff },
  { name: 'rolling restart of three instances', run: rollingRestart },
];

async function sameClientId(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  return underLoad(cluster, extent, {}, async (load) => {
    const [user, room] = [load.users[1]!, load.rooms[0]!];
    const [one, other] = await Promise.all(cluster.instances.slice(0, 2).map((instance) => cluster.connect(user, instance)));
    const twice = extent.isLong ? 1_000 : 60;
    for (let index = 0; index < twice; index++) {
      const clientId = `twin-${index}`;
      const send = load.ledger.open(room, user, clientId);
      const acks = await Promise.all(
        [one!, other!].map(async (client, at) => {
          const attempt = load.ledger.attempt(send, `twin ${at}`);
          const ack = await client.command('message.send', { room, clientId, text: `from ${at}` });
          load.ledger.acknowledge(send, attempt, ack as { seq: number; duplicate: boolean });
          return ack as { duplicate: boolean };
        }),
      );
      assert.equal(acks.filter(({ duplicate }) => duplicate).length, 1, `${clientId}: ${JSON.stringify(acks)}`);
    }
    await Promise.all([one!.close(), other!.close()]);
    return `${twice} pairs, one of each a duplicate`;
  });
}

async function refusedDraft(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const random = new Random(extent.seed);
  await cluster.sql(`ALTER TABLE messages ADD CONSTRAINT refused CHECK (text <> 'refused') NOT VALID`);
  try {
    return await underLoad(cluster, extent, {}, async (load) => {
      const client = await cluster.connect(load.users[1]!);
      let refused = 0;
      for (let round = extent.isLong ? 100 : 5; round > 0; round--) {
        const bad = random.below(30);
        const attempts = await Promise.all(
          Array.from({ length: 30 }, (_, index) =>
            sendOnce(load, client.command.bind(client), `batch-${round}-${index}`, index === bad ? 'refused' : 'fine'),
          ),
        );
        attempts.forEach(({ outcome }, index) => assert.equal(outcome === 'acked', index !== bad, `draft ${index}: ${outcome}`));
        refused++;
      }
      await client.close();
      return `${refused} drafts refused alone`;
    });
  } finally {
    await cluster.sql('ALTER TABLE messages DROP CONSTRAINT refused');
  }
}

type Command = (event: string, data: object) => Promise<unknown>;

async function sendOnce({ ledger, users, rooms }: Load, command: Command, clientId: string, text: string): Promise<Attempt> {
  const send = ledger.open(rooms[0]!, users[1]!, clientId);
  const attempt = ledger.attempt(send, 'batch');
  try {
    const ack = await command('message.send', { room: rooms[0]!, clientId, text });
    ledger.acknowledge(send, attempt, ack as { seq: number; duplicate: boolean });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    ledger.refuse(attempt, error.code);
  }
  return attempt;
}

async function interleaved(cluster: FaultCluster, { seed, isLong }: Extent): Promise<Outcome> {
  const servers = cluster.instances.slice(0, 2).map((instance) => raceServer(cluster, instance));
  const runs = isLong ? 100 : 5;
  const outcome: Outcome = { acked: 0, problems: [], worstDeliveryMs: 0, notes: `${runs} runs at two instances` };
  for (let run = 0; run < runs; run++) {
    const race = new Race(seed + run, servers);
    try {
      await race.run();
      await race.settle();
      const { acked, problems } = await race.judge();
      outcome.acked += acked;
      outcome.problems.push(...problems.map((text) => ({ harm: 'wrong' as const, text: `PARLEY_SEED=${seed + run}: ${text}` })));
    } finally {
      await race.end();
    }
  }
  return outcome;
}

function raceServer(cluster: FaultCluster, instance: Instance): RaceServer {
  return {
    connect: (user, options) => cluster.connect(user, instance, options),
    http: (user, method, path, body) => cluster.answer(user, method, path, body, instance),
    room: (owner, type, members) => cluster.room(owner, members, type),
  };
}

/** The log's times are PostgreSQL's. Tokens are judged by the instance's own clock. */
async function clockOff(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const isAhead = new Random(extent.seed).below(2) === 0;
  const instance = await cluster.add({ hooks: ['clock'], settings: { FAULT_CLOCK_MS: String(isAhead ? HOUR_MS : -HOUR_MS) } });
  try {
    // Tokens that are good by either clock.
    const options = { tokenSeconds: 4 * 3_600, tokenAgeSeconds: 2 * 3_600, users: 8 };
    return await underLoad(cluster, extent, options, async (load) => {
      await Promise.all(load.devices.slice(0, 4).map((device) => device.goTo(instance.wsUrl)));
      await load.goesOn(extent.sends / 4);
      const short = cluster.token(load.users[0]!, 1_800);
      const { status } = await refusedUpgrade(instance.wsUrl, { token: short }).catch(() => ({ status: 101 }));
      // Over already, or from the future.
      assert.equal(status, 401);
      return `${isAhead ? 'ahead' : 'behind'}: a token of 30 min, just made, gets ${status} there`;
    });
  } finally {
    await cluster.remove(instance);
  }
}

async function rollingRestart(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  return underLoad(cluster, extent, { users: 9, pauseMs: 150 }, async (load) => {
    for (let round = extent.isLong ? 5 : 1; round > 0; round--) {
      for (const instance of cluster.instances) {
        assert.equal(await instance.end('SIGTERM'), 'code 0', instance.server.output);
        await instance.restart();
        await load.goesOn(10);
      }
    }
    const codes = [...new Set(load.devices.flatMap(({ closings }) => closings))].sort();
    assert.deepEqual(
      codes.filter((code) => code !== 1000 && code !== 4001),
      [],
      'all sockets were closed in good order',
    );
    const again = load.ledger.sends.filter(({ attempts }) => attempts.length > 1).length;
    return `${again} sends made again; sockets closed with ${codes.join(' and ')}`;
  });
}
