import { randomUUID } from 'node:crypto';
import type { Act, RecordedAct, RoomBus } from '../../src/bus/room-bus.js';
import { Acts } from '../../src/changes/acts.js';
import { ChangesFeed } from '../../src/changes/changes-feed.js';
import type { Sql } from '../../src/database/sql.js';

/** The changes of a server whose database never tells of any: what is heard comes by the bus. */
export function quietChanges(bus: RoomBus): { acts: Acts; changes: ChangesFeed } {
  const changes = new ChangesFeed({} as Sql);
  return { acts: new Acts(bus, changes), changes };
}

/** The act as if a transaction had just recorded it. */
export function recorded(act: Act, xid = '1'): RecordedAct {
  return { id: randomUUID(), xid, act };
}
