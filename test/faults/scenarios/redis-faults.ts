import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import type { FaultCluster } from '../fault-cluster.js';
import type { Load } from '../load.js';
import { quantile, type Timing } from '../ledger.js';
import { type Extent, type Outcome, punctual, type Scenario, underLoad } from '../scenario.js';

/** What is promised to subscribers on other instances while hints fail. */
const DELIVERY_MS = 2_000;
const PART_MS = 500;

export const REDIS_FAULTS: readonly Scenario[] = [
  { name: 'Redis killed and restarted under load', run: killed },
  { name: 'FLUSHALL under load', run: flushed },
  { name: 'Redis stopped for 10 s (SIGSTOP)', run: stopped },
  { name: 'one subscriber connection black-holed', run: blackHoled },
  { name: 'hints reordered, duplicated, dropped', run: unrulyHints },
];

async function killed(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  return punctual(
    await underLoad(cluster, extent, { listenApart: true }, async (load) => {
      for (let times = extent.isLong ? 5 : 1; times > 0; times--) {
        await cluster.redis.down();
        await cluster.becomes('degraded');
        if (extent.isLong) await pause(5_000);
        await load.goesOn(extent.sends / 4);
        await cluster.redis.up();
        await cluster.becomes('ok');
      }
    }),
    DELIVERY_MS,
  );
}

async function flushed(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  return punctual(
    await underLoad(cluster, extent, { listenApart: true }, async (load) => {
      for (let times = extent.isLong ? 20 : 3; times > 0; times--) {
        await cluster.redis.with((client) => client.flushall());
        await load.goesOn(extent.sends / 20);
      }
    }),
    DELIVERY_MS,
  );
}

async function stopped(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  return punctual(
    await underLoad(cluster, extent, { listenApart: true }, async (load) => {
      await pause(1_500);
      await load.goesOn(extent.sends / 4);
      const frozen = performance.now();
      cluster.redis.freeze();
      try {
        await pause(extent.isLong ? 10_000 : 3_000);
      } finally {
        cluster.redis.thaw();
      }
      const thawed = performance.now();
      await cluster.becomes('ok');
      await pause(1_500);
      return latencyNote(load, frozen, thawed);
    }),
    DELIVERY_MS,
  );
}

/** A send does not wait for Redis: it takes what it takes while Redis is there, before or after, but for the noise of a busy machine. */
function latencyNote({ ledger: { answers } }: Load, frozen: number, thawed: number): string {
  const shares = [0.5, 0.99];
  const [before, during, after] = [
    [frozen - 1_500, frozen],
    [frozen, thawed],
    [thawed, Infinity],
  ].map(([from, to]) => shares.map((share) => usual(answers, share, from!, to!))) as [number[], number[], number[]];
  const [typical, slow] = shares.map((_, index) => Math.max(before[index]!, after[index]!)) as [number, number];
  const words = [before, during, after].map((ms) => ms.map(Math.round).join('/'));
  const note = `ack p50/p99 ${words[0]} ms before, ${words[1]} ms meanwhile, ${words[2]} ms after`;
  assert.ok(during[0]! < 2 * typical + 10 && during[1]! < 3 * slow + 50, note);
  return note;
}

/** The median over parts of half a second each: one bad moment of the machine is in one of them, and waiting for Redis would be in all. */
function usual(answers: readonly Timing[], share: number, from: number, to: number): number {
  const parts = new Map<number, Timing[]>();
  for (const answer of answers) {
    if (answer.at < from || answer.at > to) continue;
    const part = Math.floor((answer.at - from) / PART_MS);
    parts.set(part, [...(parts.get(part) ?? []), answer]);
  }
  const values = [...parts.values()].map((part) => ({ at: 0, tookMs: quantile(part, share) }));
  return quantile(values, 0.5);
}

async function blackHoled(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const { proxy, url } = await cluster.redis.proxied();
  const deaf = await cluster.add({ settings: { REDIS_URL: url } });
  try {
    await cluster.becomes('ok');
    const outcome = await underLoad(cluster, extent, { pauseMs: 150 }, async (load) => {
      await Promise.all(load.devices.slice(0, 3).map((device) => device.goTo(deaf.wsUrl)));
      const port = busConnection(proxy);
      const began = performance.now();
      proxy.deafen(port);
      // A connection that is replaced is closed.
      await until(() => !proxy.has(port), 'the deaf connection is found and replaced', 10_000);
      const tookMs = performance.now() - began;
      await until(async () => (await deaf.readiness()) === 'ok', 'it hears again');
      return `replaced after ${(tookMs / 1_000).toFixed(1)} s`;
    });
    return punctual(outcome, DELIVERY_MS);
  } finally {
    await cluster.remove(deaf);
    await proxy.close();
  }
}

/** The port, on the side of Redis, of the connection through the proxy that hears rooms. */
function busConnection(proxy: TcpProxy): number {
  const found = proxy.portsThatSent(/\r\nsubscribe\r\n[^*]*:room:\{/);
  assert.equal(found.length, 1, `connections that hear rooms: ${found.length}`);
  return found[0]!;
}

async function unrulyHints(cluster: FaultCluster, extent: Extent): Promise<Outcome> {
  const settings = { FAULT_SEED: String(extent.seed) };
  const unruly = await Promise.all([0, 1].map(() => cluster.add({ hooks: ['unruly-hints'], settings })));
  try {
    const instances = () => unruly.map(({ wsUrl }) => wsUrl);
    return punctual(await underLoad(cluster, extent, { instances, listenApart: true }, async () => {}), DELIVERY_MS);
  } finally {
    for (const instance of unruly) await cluster.remove(instance);
  }
}
