// The generator, a process of its own: it is told by messages what to do, and answers each. It keeps to raw sockets, frames made
// beforehand and counting in bytes, so that what is measured is the server; `cpuMs` in a sample shows whether that holds.
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Tally } from './client.js';
import { DIALECTS } from './dialects.js';
import { askForPages } from './pages.js';

const POLL_MS = 10;
const EXTRA_MS = 100;
const DRAIN_MS = 20_000;

let clients = [];
let tally = new Tally();
let pacing;

const ACTIONS = {
  /** Opens all `specs`, at most `atOnce` at a time. @returns milliseconds until the last was through its opening */
  async open({ dialect, specs, atOnce, textBytes }) {
    const from = performance.now();
    const opened = specs.map((spec) => new Client(DIALECTS[dialect], spec, tally, textBytes));
    clients.push(...opened);
    const waiting = opened.values();
    const worker = async () => {
      for (const client of waiting) await client.open();
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, specs.length) }, worker));
    return performance.now() - from;
  },

  /** The first `senders` clients send, each again at every ack, `window` in flight. */
  closedLoop({ senders, window }) {
    for (const client of clients.slice(0, senders)) client.start(window);
  },

  /** The first `senders` clients send in turn, `perSecond` in all, whether acks come or not. */
  openLoop({ senders, perSecond }) {
    const from = performance.now();
    let sent = 0;
    pacing = setInterval(() => {
      const due = ((performance.now() - from) / 1_000) * perSecond;
      for (; sent < due; sent++) clients[sent % senders].send();
    }, 1);
  },

  /** @returns what there was until now, and the latencies since the last sample */
  sample() {
    const { deliveries, acked, sent, lost, latenciesMs } = tally;
    tally.latenciesMs = [];
    const { user, system } = process.cpuUsage();
    return { atMs: performance.now(), deliveries, acked, sent, lost, latenciesMs, cpuMs: (user + system) / 1_000 };
  },

  /** Stops sending, and waits until every send is acked and has come to so many `receivers`, and then for what comes too often. @returns the totals */
  async stop({ receivers }) {
    clearInterval(pacing);
    for (const client of clients) client.stop();
    const deadline = performance.now() + DRAIN_MS;
    while ((tally.acked < tally.sent || tally.deliveries < tally.acked * receivers) && performance.now() < deadline) await delay(POLL_MS);
    await delay(EXTRA_MS);
    const { deliveries, acked, sent, lost } = tally;
    return { deliveries, acked, sent, lost };
  },

  close() {
    for (const client of clients) client.close();
    clients = [];
    tally = new Tally();
  },

  pages: askForPages,
};

process.on('message', async ({ id, action, args }) => {
  try {
    process.send({ id, result: await ACTIONS[action](args) });
  } catch (error) {
    process.send({ id, error: error.message });
  }
});
process.on('disconnect', () => process.exit(0));
