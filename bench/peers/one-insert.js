// Loaded into Parley to show what batching is worth: each message is committed by itself, on whichever connection of the pool is free.
import { AppendLanes } from '../../dist/src/log/append-lanes.js';

AppendLanes.prototype.add = async function (draft) {
  const [outcome] = await this.options.commit([draft]);
  if (outcome instanceof Error) throw outcome;
  return outcome;
};
