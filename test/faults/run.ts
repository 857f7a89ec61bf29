import { seedsOf } from '../support/seeded.js';
import { TestPostgres } from '../support/test-postgres.js';
import { GROUPS } from './groups.js';
import type { Problem } from './oracle.js';
import type { Extent, Scenario, ScenarioGroup } from './scenario.js';
import { headLines, lineOf } from './table.js';
import type { FaultCluster } from './fault-cluster.js';

// The long form of the fault suite, which prints its table: `npm run test:faults`. Words behind `--` choose the faults whose names have one of
// them (`npm run test:faults -- Redis commit`); `--short` runs them as `npm test` does. PARLEY_SEED=<seed> replays.

const args = process.argv.slice(2);
const isLong = !args.includes('--short');
const words = args.filter((arg) => !arg.startsWith('--'));
const SENDS = isLong ? 3_000 : 150;

const say = (text: string) => process.stdout.write(`${text}\n`);

/** @returns whether all was as promised */
async function runScenario({ name, run }: Scenario, cluster: FaultCluster): Promise<boolean> {
  const extent: Extent = { seed: seedsOf(1)[0]!, isLong, sends: SENDS };
  try {
    const outcome = await run(cluster, extent);
    say(lineOf({ name, seed: extent.seed, ...outcome }));
    outcome.problems.slice(0, 20).forEach(({ harm, text }: Problem) => say(`    ${harm}: ${text}`));
    return outcome.problems.length === 0;
  } catch (error) {
    say(`${name}: FAILED (PARLEY_SEED=${extent.seed})\n    ${(error as Error).stack}`);
    return false;
  }
}

const isChosen = ({ name }: Scenario) => words.length === 0 || words.some((word) => name.includes(word));

async function runGroup(group: ScenarioGroup): Promise<boolean> {
  const chosen = group.scenarios.filter(isChosen);
  if (chosen.length === 0) return true;
  const cluster = await group.start(isLong);
  let isWell = true;
  try {
    for (const scenario of chosen) isWell = (await runScenario(scenario, cluster)) && isWell;
  } finally {
    await cluster.stop();
  }
  return isWell;
}

if (!Object.values(GROUPS).some(({ scenarios }) => scenarios.some(isChosen))) {
  say(`No fault has ${words.join(' or ')} in its name; docs/guarantees.md lists them.`);
  process.exit(1);
}
const postgres = await TestPostgres.start();
Object.assign(process.env, postgres.environment);
let isWell = true;
try {
  headLines().forEach(say);
  for (const group of Object.values(GROUPS)) isWell = (await runGroup(group)) && isWell;
} finally {
  await postgres.stop();
}
process.exit(isWell ? 0 : 1);
