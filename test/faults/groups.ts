import { FaultCluster } from './fault-cluster.js';
import { OwnPostgres } from './own-postgres.js';
import type { ScenarioGroup } from './scenario.js';
import { ENDURANCE } from './scenarios/endurance.js';
import { HOSTILE_CLIENTS } from './scenarios/hostile-clients.js';
import { KILLED_INSTANCES } from './scenarios/killed-instances.js';
import { MANY_INSTANCES } from './scenarios/many-instances.js';
import { postgresFaults } from './scenarios/postgres-faults.js';
import { REDIS_FAULTS } from './scenarios/redis-faults.js';

const three = () => FaultCluster.start({ instances: 3 });
/** For faults to which a third instance is one more of the same: the short form does without it. */
const several = (isLong: boolean) => FaultCluster.start({ instances: isLong ? 3 : 2 });

async function withVitals(): Promise<FaultCluster> {
  const cluster = await FaultCluster.start({ instances: 0 });
  await Promise.all(Array.from({ length: 3 }, () => cluster.add({ hooks: ['vitals'] })));
  return cluster;
}

let postgres: OwnPostgres;

async function onOwnPostgres(isLong: boolean): Promise<FaultCluster> {
  postgres = await OwnPostgres.start();
  return FaultCluster.start({ instances: isLong ? 3 : 2, database: postgres });
}

/** The whole suite, in the order of the table. */
export const GROUPS = {
  instances: { name: 'instances', start: three, scenarios: [...KILLED_INSTANCES, ...MANY_INSTANCES] },
  redis: { name: 'redis', start: several, scenarios: REDIS_FAULTS },
  postgres: { name: 'postgres', start: onOwnPostgres, scenarios: postgresFaults(() => postgres) },
  clients: { name: 'clients', start: several, scenarios: HOSTILE_CLIENTS },
  endurance: { name: 'endurance', start: withVitals, scenarios: ENDURANCE },
} as const satisfies Record<string, ScenarioGroup>;
