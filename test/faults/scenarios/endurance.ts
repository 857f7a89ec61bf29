import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChatClient, Frame } from '../../support/chat-client.js';
import { Random } from '../../support/seeded.js';
import { until } from '../../support/until.js';
import type { FaultCluster, Instance } from '../fault-cluster.js';
import type { Load } from '../load.js';
import { type Extent, type Outcome, type Scenario, underLoad } from '../scenario.js';

const PASSERS_BY = 8;
/** Caches of users and acts fill up to their bounds. */
const GROWTH_MB = 30;

export const ENDURANCE: readonly Scenario[] = [
  { name: '2,000 clients dropped and back at once', run: herd },
  { name: 'soak of joins, sends and leaves', run: soak },
];

/** In the short form there are fewer. */
async function herd(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const count = extent.isLong ? 2_000 : 200;
  const names = Array.from({ length: count }, (_, index) => `herd-${extent.seed}-${index}`);
  return underLoad(cluster, extent, { pauseMs: 400 }, async (load) => {
    const owner = load.users[0]!;
    const room = await cluster.room(owner, names);
    const speaker = await cluster.connect(owner);
    const say = (text: string) => speaker.command('message.send', { room, clientId: text, text });
    await say('before');
    const first = await Promise.all(names.map((name, index) => join(cluster, name, index, room)));
    for (const { client } of first) client.socket.terminate();
    for (let index = 0; index < 20; index++) await say(`missed ${index}`);
    const asked = await statementsOf(cluster);
    const began = performance.now();
    const back = await Promise.all(names.map((name, index) => join(cluster, name, index, room, first[index]!.place)));
    const seconds = (performance.now() - began) / 1_000;
    // Those of the load among them.
    const statements = (await statementsOf(cluster)) - asked;
    assert.ok(statements < count / 2, `${statements} statements for ${count} clients`);
    for (const { events } of back)
      assert.deepEqual(
        seqsOf(events),
        Array.from({ length: 20 }, (_, index) => index + 2),
      );
    await say('all are here');
    await until(() => back.every(({ client }) => client.events(room).length > 0), 'all hear the next message', 30_000);
    for (const { client } of back) assert.deepEqual(seqsOf(client.events(room)), [22]);
    for (const { client } of back) client.socket.terminate();
    await speaker.close();
    return `${count} back in ${seconds.toFixed(1)} s by ${statements} statements`;
  });
}

interface Place {
  epoch: string;
  seq: number;
}

async function join(
  cluster: FaultCluster,
  user: string,
  index: number,
  room: string,
  since?: Place,
): Promise<{ client: ChatClient; place: Place; events: Frame[] }> {
  const client = await cluster.connect(user, cluster.instances[index % cluster.instances.length], { patienceMs: 30_000 });
  const { epoch, headSeq, events } = await client.command('room.subscribe', { room, ...(since && { since }) });
  return { client, place: { epoch, seq: headSeq }, events };
}

const seqsOf = (events: readonly Frame[]) => events.map(({ seq }) => seq);

/** What must not grow with time: sockets and files, memory, channels that are listened to. */
async function soak(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const seconds = extent.isLong ? 600 : 6;
  return underLoad(cluster, extent, {}, async (load) => {
    await churn(cluster, load, 2, extent.seed);
    const before = await holdings(cluster);
    const visits = await churn(cluster, load, seconds, extent.seed + 1);
    // Rooms are let go some seconds after the last who followed them.
    await until(async () => (await holdings(cluster)).channels <= before.channels, 'no more channels are heard than before', 30_000);
    const after = await holdings(cluster);
    const growths = after.instances.map(({ handles, heapBytes }, index) => {
      const was = before.instances[index]!;
      assert.ok(handles <= was.handles + 10, `handles of instance ${index} went from ${was.handles} to ${handles}`);
      return (heapBytes - was.heapBytes) / 1_048_576;
    });
    const growth = Math.max(...growths);
    assert.ok(growth <= GROWTH_MB, `a heap grew by ${growth} MB`);
    return `${visits} visits in ${seconds} s; heaps grew by ${growth.toFixed(1)} MB at most`;
  });
}

/** Users who come, join a room of their own making, follow, watch, type, send, leave and go. @returns how many */
async function churn(cluster: FaultCluster, load: Load, seconds: number, seed: number): Promise<number> {
  const random = new Random(seed);
  const end = performance.now() + seconds * 1_000;
  let visits = 0;
  const visit = async (name: string) => {
    const client = await cluster.connect(name, cluster.instances[random.below(cluster.instances.length)]);
    const room = await cluster.room(load.users[0]!, [], 'public');
    await client.command('room.join', { room });
    await client.command('room.subscribe', { room });
    await client.command('presence.watch', { room });
    await client.command('typing.start', { room });
    await client.command('message.send', { room, clientId: name, text: 'passing by' });
    await client.command('room.leave', { room });
    await client.close();
    visits++;
  };
  const passerBy = async (_: unknown, index: number) => {
    for (let round = 0; performance.now() < end; round++) await visit(`passer-${seed}-${index}-${round}`);
  };
  await Promise.all(Array.from({ length: PASSERS_BY }, passerBy));
  await pause(500);
  return visits;
}

interface Vitals {
  /** Asked of PostgreSQL since the start. */
  statements: number;
  handles: number;
  heapBytes: number;
}

interface Holdings {
  channels: number;
  instances: Vitals[];
}

async function holdings(cluster: FaultCluster): Promise<Holdings> {
  const channels = await cluster.redis.with((client) => client.pubsub('CHANNELS', '*'));
  return { channels: channels.length, instances: await Promise.all(cluster.instances.map(vitalsOf)) };
}

async function vitalsOf({ server }: Instance): Promise<Vitals> {
  const told = () => [...server.output.matchAll(/^vitals (.*)$/gm)];
  const before = told().length;
  server.child.kill('SIGUSR2');
  await until(() => told().length > before, 'the process says how it is');
  return JSON.parse(told().at(-1)![1]!) as Vitals;
}

async function statementsOf(cluster: FaultCluster): Promise<number> {
  const vitals = await Promise.all(cluster.instances.map(vitalsOf));
  return vitals.reduce((sum, { statements }) => sum + statements, 0);
}
