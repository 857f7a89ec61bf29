import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FaultCluster } from './fault-cluster.js';
import { Load, type LoadOptions } from './load.js';
import { quantile } from './ledger.js';
import type { Problem } from './oracle.js';

/** How much of a scenario is run: in `npm test` little, with `npm run test:faults` much. */
export interface Extent {
  seed: number;
  isLong: boolean;
  /** How many sends are to be acked at least. */
  sends: number;
}

/** What is said of a scenario in the table. */
export interface Outcome {
  acked: number;
  problems: Problem[];
  worstDeliveryMs: number;
  /** The longest that this process, which hosts all devices, was busy: as much too late it may have heard. */
  ownDelayMs?: number;
  /** What else was seen. */
  notes: string;
}

export interface Scenario {
  /** The fault, in the words of docs/guarantees.md. */
  name: string;
  /** @throws when the fault did not come about, or what it does to clients is not as promised */
  run(cluster: FaultCluster, extent: Extent): Promise<Outcome>;
}

/** Scenarios that share a cluster: each leaves it as it was. */
export interface ScenarioGroup {
  name: string;
  /** @param isLong whether the long form is to run on it */
  start(isLong: boolean): Promise<FaultCluster>;
  scenarios: readonly Scenario[];
}

/**
 * Runs a fault under load: some sends before it, some after it, and as many as the extent says altogether. Then the oracle judges.
 * @param fault resolves when the fault is over; what it returns is noted
 */
export async function underLoad(
  cluster: FaultCluster,
  { seed, sends }: Extent,
  options: Omit<LoadOptions, 'seed'>,
  fault: (load: Load) => Promise<string | void>,
): Promise<Outcome> {
  const load = await Load.start(cluster, { seed, ...options });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  try {
    await load.goesOn(Math.ceil(sends / 4));
    const notes = (await fault(load)) ?? '';
    await load.goesOn(Math.max(Math.ceil(sends / 4), sends - load.acked), 120_000);
    const { acked, problems } = await load.finish();
    return { acked, problems, worstDeliveryMs: quantile(load.ledger.deliveries, 1), ownDelayMs: delay.max / 1e6, notes };
  } finally {
    delay.disable();
    await load.abandon();
  }
}

/** @throws when an event took longer than this from its place in the log to a device */
export function punctual(outcome: Outcome, limitMs: number): Outcome {
  const { worstDeliveryMs, ownDelayMs = 0 } = outcome;
  const text = `an event took ${Math.round(worstDeliveryMs)} ms; this process was busy for ${Math.round(ownDelayMs)} ms`;
  assert.ok(worstDeliveryMs <= limitMs + ownDelayMs, text);
  return outcome;
}
