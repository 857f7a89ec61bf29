import { FaultCluster } from './fault-cluster.js';
import type { ScenarioGroup } from './scenario.js';
import { KILLED_INSTANCES } from './scenarios/killed-instances.js';
import { REDIS_FAULTS } from './scenarios/redis-faults.js';

const three = () => FaultCluster.start({ instances: 3 });

/** The whole suite, in the order of the table. */
export const GROUPS = {
  instances: { name: 'instances', start: three, scenarios: KILLED_INSTANCES },
  redis: { name: 'redis', start: three, scenarios: REDIS_FAULTS },
} as const satisfies Record<string, ScenarioGroup>;
