import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

const count = availableParallelism();
export const hasTaskset = count > 1 && spawnSync('taskset', ['--version']).status === 0;

/** Moves this process off the servers' core; what it starts (PostgreSQL, Redis, the generator) inherits that. */
export function leaveServerCore() {
  if (hasTaskset) spawnSync('taskset', ['-c', '-p', `1-${count - 1}`, String(process.pid)]);
}

/**
 * Starts a server on one core: the first, or, where each can have its own and two are left for all else, the one of its index.
 * Where there is no taskset the system places it.
 */
export function spawnOnServerCore(index, program, args, options) {
  if (!hasTaskset) return spawn(program, args, options);
  const core = count >= index + 3 ? index : 0;
  return spawn('taskset', ['-c', String(core), program, ...args], options);
}
