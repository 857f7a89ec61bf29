// Loaded before the server by `node --import`: on SIGUSR2 it says in one line how many statements this process has asked PostgreSQL for so
// far, and what it holds in memory once the garbage is collected (needs --expose-gc).
import { writeSync } from 'node:fs';
import pg from 'pg';

let statements = 0;
const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (...args) {
  statements++;
  return query.apply(this, args);
};

process.on('SIGUSR2', () => {
  globalThis.gc();
  const handles = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate').length;
  writeSync(1, `vitals ${JSON.stringify({ statements, handles, heapBytes: process.memoryUsage().heapUsed })}\n`);
});
