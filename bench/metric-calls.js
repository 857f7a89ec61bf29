// `node bench/metric-calls.js`, after a build: what a send pays for metrics, off and on, with nothing else around it. The dearest case: a
// send that is a batch and a turn of its own, heard by one. More sends a batch share all but the plain numbers.
import { fileURLToPath } from 'node:url';
import { quantile } from './measure.js';

const { Metrics } = await import(fileURLToPath(new URL('../dist/src/telemetry/metrics.js', import.meta.url)));
const { TurnEnd } = await import(fileURLToPath(new URL('../dist/src/realtime/turn-end.js', import.meta.url)));

const SENDS = 200_000;
const RUNS = 9;
const SCRAPES = 50;

/** As the code does it for one send: its frame, its batch, its turn. */
function send(metrics, turnEnd, stream) {
  metrics.counts.frames++;
  const began = performance.now();
  metrics.observe('batch', 1);
  metrics.observe('commit', (performance.now() - began) / 1_000);
  metrics.counts.deliveries += 1;
  turnEnd.add(stream);
}

async function cpuNanosASend(metrics) {
  const turnEnd = new TurnEnd(metrics);
  const socket = { flush() {} };
  const stream = { flush: () => turnEnd.addSocket(socket) };
  const began = process.cpuUsage();
  for (let i = 0; i < SENDS; i++) {
    send(metrics, turnEnd, stream);
    await new Promise(setImmediate);
  }
  const { user, system } = process.cpuUsage(began);
  return ((user + system) * 1_000) / SENDS;
}

async function scrapeMs(metrics) {
  const began = performance.now();
  for (let i = 0; i < SCRAPES; i++) await metrics.page();
  return (performance.now() - began) / SCRAPES;
}

const [off, on] = [new Metrics(false), new Metrics(true)];
const nanos = { off: [], on: [] };
// In turn, so that both meet the machine in the same mood. The first round warms up.
for (let run = 0; run <= RUNS; run++) {
  for (const [name, metrics] of Object.entries({ off, on })) {
    const each = await cpuNanosASend(metrics);
    if (run > 0) nanos[name].push(each);
  }
}
const [median, least, most] = [0.5, 0, 1].map((q) => ({ off: quantile(nanos.off, q), on: quantile(nanos.on, q) }));
for (const name of ['off', 'on']) {
  console.log(`metrics ${name}: ${Math.round(median[name])} ns a send (${Math.round(least[name])} to ${Math.round(most[name])})`);
}
console.log(`so on costs ${Math.round(median.on - median.off)} ns a send, and a scrape ${(await scrapeMs(on)).toFixed(1)} ms`);
