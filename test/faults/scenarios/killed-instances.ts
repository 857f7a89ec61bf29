import assert from 'node:assert/strict';
import type { FaultCluster } from '../fault-cluster.js';
import { Load } from '../load.js';
import { quantile } from '../ledger.js';
import type { Extent, Outcome, Scenario } from '../scenario.js';
import { Random } from '../../support/seeded.js';

const POINTS = ['before commit', 'after commit', 'before publish', 'before ack'] as const;

/** An instance that devices are at dies at one point on the way of a message, again and again in the long form. */
export const KILLED_INSTANCES: readonly Scenario[] = POINTS.map((point) => ({
  name: `instance killed ${point}`,
  run: (cluster, extent) => killedAt(point, cluster, extent),
}));

async function killedAt(point: (typeof POINTS)[number], cluster: FaultCluster, { seed, isLong, sends }: Extent): Promise<Outcome> {
  const random = new Random(seed);
  const kill = (nth: number) => cluster.add({ hooks: ['kill-point'], settings: { FAULT_KILL_POINT: point, FAULT_KILL_NTH: String(nth) } });
  let victim = await kill(30 + random.below(30));
  const load = await Load.start(cluster, { seed, users: 8, pauseMs: 20 });
  try {
    for (let deaths = isLong ? 8 : 1; deaths > 0; deaths--) {
      const { wsUrl } = victim;
      // It may die before all are there.
      await Promise.race([Promise.all(load.devices.slice(0, 4).map((device) => device.goTo(wsUrl))), victim.server.exited]);
      assert.equal(await victim.end('by itself'), 'SIGKILL', victim.server.output);
      assert.match(victim.server.output, new RegExp(`killed ${point}`));
      await cluster.remove(victim);
      await load.goesOn(sends / 4);
      if (deaths > 1) victim = await kill(30 + random.below(60));
    }
    await load.goesOn(Math.max(0, sends - load.acked));
    const { acked, unknownStored, problems } = await load.finish();
    // Or it was not the point that it is called by.
    if (point !== 'before commit') assert.notEqual(unknownStored, 0, 'no send was stored without an ack');
    return {
      acked,
      problems,
      worstDeliveryMs: quantile(load.ledger.deliveries, 1),

      notes: `${unknownStored} stored without an ack`,
    };
  } finally {
    await load.abandon();
    if (cluster.instances.includes(victim)) await cluster.remove(victim);
  }
}
