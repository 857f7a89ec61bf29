import { readFileSync } from 'node:fs';

/** Of /proc/<pid>/stat, on every Linux that Node runs on. */
const TICK_MS = 10;

/** User and system time of a process and all its threads so far; of a gone one, or not on Linux, NaN. */
export function cpuMs(pid) {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

export function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1]) * 1_024;
}

/** Busy and all ticks of the machine so far but for the servers' core: whether there was anything left for PostgreSQL and the generator. */
export function otherCoresTicks() {
  let busy = 0;
  let all = 0;
  for (const [, core, times] of read('/proc/stat').matchAll(/^cpu(\d+) (.*)$/gm)) {
    if (core === '0') continue;
    const [user, nice, system, idle, iowait, irq, softirq, steal] = times.split(' ').map(Number);
    busy += user + nice + system + irq + softirq + steal;
    all += user + nice + system + idle + iowait + irq + softirq + steal;
  }
  return { busy, all };
}

/** @param q from 0 to 1. NaN of nothing. */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(q * (sorted.length - 1))] ?? NaN;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
