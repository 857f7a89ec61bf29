// Loaded into Parley to show what batching is worth: each message is committed by itself, over the whole pool of connections.
import { AppendLanes } from '../../dist/src/log/append-lanes.js';

/** Parley's pool as it is shipped. What waits for a connection waits here, since the pool refuses what it lets wait for long. */
const CONNECTIONS = 16;
const waiting = [];
let busy = 0;

AppendLanes.prototype.add = function (draft) {
  return new Promise((resolve, reject) => {
    waiting.push({ commit: () => this.options.commit([draft]), resolve, reject });
    next();
  });
};

function next() {
  while (busy < CONNECTIONS && waiting.length > 0) {
    busy++;
    const { commit, resolve, reject } = waiting.shift();
    commit()
      .then(([outcome]) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)), reject)
      .finally(() => {
        busy--;
        next();
      });
  }
}
