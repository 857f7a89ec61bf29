import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { seedsOf } from '../support/seeded.js';
import type { FaultCluster } from './fault-cluster.js';
import type { ScenarioGroup } from './scenario.js';
import { lineOf } from './table.js';

const SENDS = 150;

/** The tests of a group of scenarios, with few sends and short faults. The name of a failed one says its seed: PARLEY_SEED=<seed> replays it. */
export function shortForm({ name, start, scenarios }: ScenarioGroup): void {
  describe(`faults of ${name}`, () => {
    let cluster: FaultCluster;
    beforeAll(async () => {
      cluster = await start(false);
    }, 60_000);
    afterAll(() => cluster.stop(), 60_000);

    const cases = scenarios.map((scenario) => ({ ...scenario, seed: seedsOf(1)[0]! }));
    it.each(cases)(
      '$name: nothing lost, doubled or out of order (PARLEY_SEED=$seed)',
      async ({ name, run, seed }) => {
        const outcome = await run(cluster, { seed, isLong: false, sends: SENDS });
        process.stdout.write(`${lineOf({ name, seed, ...outcome })}\n`);
        expect(outcome.problems).toEqual([]);
        expect(outcome.acked).toBeGreaterThanOrEqual(SENDS);
      },
      60_000,
    );
  });
}
