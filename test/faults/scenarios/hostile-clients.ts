import assert from 'node:assert/strict';
import { OPCODES, RawSocket } from '../../support/raw-socket.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { ChatClient, type Frame } from '../../support/chat-client.js';
import type { FaultCluster, Instance } from '../fault-cluster.js';
import type { Load } from '../load.js';
import { type Extent, type Outcome, punctual, type Scenario, underLoad } from '../scenario.js';

/** The others are at the same instance: what they hear takes no longer than this, on a busy machine. */
const UNDISTURBED_MS = 3_000;

export const HOSTILE_CLIENTS: readonly Scenario[] = [
  { name: 'client stops reading', run: (cluster, extent) => beside(cluster, extent, stopsReading) },
  { name: 'half-open TCP', run: halfOpen },
  { name: 'ping flood', run: (cluster, extent) => beside(cluster, extent, pingFlood) },
  { name: '1-byte fragments', run: (cluster, extent) => beside(cluster, extent, fragments) },
];

type Misdeed = (cluster: FaultCluster, load: Load, instance: Instance) => Promise<string>;

async function beside(cluster: FaultCluster, extent: Extent, misdeed: Misdeed): Promise<Outcome> {
  const instance = cluster.instances[0]!;
  const outcome = await underLoad(cluster, extent, { instances: () => [instance.wsUrl] }, (load) => misdeed(cluster, load, instance));
  return punctual(outcome, UNDISTURBED_MS);
}

function openRaw(cluster: FaultCluster, load: Load, instance: Instance): Promise<RawSocket> {
  return RawSocket.open(instance.wsUrl, cluster.token(load.users[1]!));
}

async function stopsReading(cluster: FaultCluster, load: Load, instance: Instance): Promise<string> {
  const raw = await openRaw(cluster, load, instance);
  const room = await cluster.room(load.users[0]!, [load.users[1]!]);
  raw.command(1, 'room.subscribe', { room });
  await raw.until(() => raw.json().some(({ id }) => id === 1));
  raw.socket.pause();
  await flood(cluster, load.users[0]!, room);
  raw.socket.resume();
  await raw.until(() => raw.closeCode !== undefined);
  assert.equal(raw.closeCode, 4008);
  const seqs = raw.json().flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
  seqs.forEach((seq, index) => assert.equal(seq, seqs[0]! + index, 'what it had is without a gap'));
  return `closed with 4008 after ${seqs.length} events`;
}

/** More bytes of messages than the kernel's buffers and the server's bound hold together. */
async function flood(cluster: FaultCluster, user: string, room: string): Promise<void> {
  const client = await cluster.connect(user);
  const text = 'x'.repeat(7_900);
  let sent = 0;
  const goOn = async () => {
    while (++sent <= 1_000) await client.command('message.send', { room, clientId: `flood-${sent}`, text });
  };
  await Promise.all(Array.from({ length: 10 }, goOn));
  await client.close();
}

async function halfOpen(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const beats = extent.isLong ? {} : { hooks: ['short-heartbeat'], settings: { FAULT_HEARTBEAT_MS: '1000' } };
  const instance = await cluster.add(beats);
  const proxy = await TcpProxy.to('127.0.0.1', Number(new URL(instance.url).port));
  try {
    const outcome = await underLoad(cluster, extent, { instances: () => [instance.wsUrl], pauseMs: 150 }, async (load) => {
      const [watcher, victim] = [load.users[0]!, 'half-open'];
      const room = await cluster.room(watcher, [victim]);
      const lost = await ChatClient.connect(`ws://127.0.0.1:${proxy.port}/ws`, { token: cluster.token(victim) });
      const onlooker = await cluster.connect(watcher, cluster.instances[1]);
      const isGone = ({ event, data }: Frame) => event === 'presence.changed' && data.user === victim && data.status === 'offline';
      await until(async () => isOnline(await onlooker.command('presence.watch', { room }), victim), 'he is online');
      const began = performance.now();
      proxy.stall();
      proxy.deafen();
      await until(() => onlooker.frames.some(isGone), 'he is taken for gone', 120_000);
      lost.socket.terminate();
      await onlooker.close();
      return `taken for gone after ${((performance.now() - began) / 1_000).toFixed(1)} s`;
    });
    return punctual(outcome, UNDISTURBED_MS);
  } finally {
    await proxy.close();
    await cluster.remove(instance);
  }
}

function isOnline(snapshot: { users: { user: string; status: string }[] }, user: string): boolean {
  return snapshot.users.some((one) => one.user === user && one.status === 'online');
}

async function pingFlood(cluster: FaultCluster, load: Load, instance: Instance): Promise<string> {
  const raw = await openRaw(cluster, load, instance);
  for (let count = 0; count < 2_000; count++) raw.send(OPCODES.ping, 'are you there?');
  await raw.until(() => raw.closeCode !== undefined);
  assert.equal(raw.closeCode, 4013);
  return 'closed with 4013';
}

/** Whole commands in fragments of one byte are commands; a message without end is none. */
async function fragments(cluster: FaultCluster, load: Load, instance: Instance): Promise<string> {
  const raw = await openRaw(cluster, load, instance);
  const room = load.rooms[0]!;
  for (let id = 1; id <= 20; id++) {
    const clientId = `fragment-${id}`;
    const send = load.ledger.open(room, load.users[1]!, clientId);
    const attempt = load.ledger.attempt(send, 'raw');
    sendInFragments(raw, JSON.stringify({ id, event: 'message.send', data: { room, clientId, text: 'in pieces' } }));
    await raw.until(() => raw.json().some((frame) => frame.id === id));
    const { event, data } = raw.json().find((frame) => frame.id === id)!;
    assert.equal(event, 'ack', JSON.stringify(data));
    load.ledger.acknowledge(send, attempt, data as unknown as { seq: number; duplicate: boolean });
  }
  raw.send(OPCODES.text, '{', false);
  for (let count = 0; count < 70_000 && !raw.socket.destroyed; count++) raw.send(OPCODES.continuation, ' ', false);
  await raw.closed;
  return `20 sends in pieces; a message without end closed with ${raw.closeCode ?? 'a reset'}`;
}

function sendInFragments(raw: RawSocket, text: string): void {
  [...Buffer.from(text)].forEach((byte, index, all) => {
    raw.send(index === 0 ? OPCODES.text : OPCODES.continuation, Buffer.from([byte]), index === all.length - 1);
  });
}
