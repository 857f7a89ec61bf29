// `npm run bench`: deliveries a second of one room, against the built server with its embedded PostgreSQL and the local bus.
// Options: --subscribers=1000 --senders=10 --window=4 --seconds=5 --text=200
import { fork, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';

const { values } = parseArgs({
  options: {
    subscribers: { type: 'string', default: '1000' },
    senders: { type: 'string', default: '10' },
    window: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '5' },
    text: { type: 'string', default: '200' },
  },
});
const options = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
const SECRET = randomUUID() + randomUUID();
const TICKS_A_SECOND = 100;

const port = await freePort();
const dataDir = mkdtempSync(join(tmpdir(), 'parley-bench-'));
const server = spawn(process.execPath, [new URL('../dist/src/main.js', import.meta.url).pathname], {
  env: { ...process.env, PORT: String(port), DATA_DIR: dataDir, JWT_SECRET: SECRET, LIMITS: 'off', LOG_LEVEL: 'warn', DATABASE_URL: '' },
  stdio: ['ignore', 'ignore', 'inherit'],
});
try {
  await untilReady();
  const room = await makeRoom();
  const subscribers = await startSubscribers(room);
  const senders = await Promise.all(Array.from({ length: options.senders }, (_, i) => openSender(`sender${i}`, room)));
  for (const sender of senders) sender.start();
  await delay(1_000);
  const from = sample(subscribers, senders);
  await delay(options.seconds * 1_000);
  const to = sample(subscribers, senders);
  for (const sender of senders) sender.stop();
  report(from, to, senders);
  subscribers.child.disconnect();
} finally {
  server.kill('SIGTERM');
  await once(server, 'exit');
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);

function sample(subscribers, senders) {
  const [, , , , , , , , , , , , , utime, stime] = readStat(server.pid);
  return {
    at: performance.now(),
    deliveries: subscribers.deliveries(),
    acked: senders.reduce((sum, sender) => sum + sender.acked(), 0),
    cpuMs: (Number(utime) + Number(stime)) * (1_000 / TICKS_A_SECOND),
  };
}

function readStat(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/\(.*\)/, 'node')
      .split(' ');
  } catch {
    return [];
  }
}

function report(from, to, senders) {
  const seconds = (to.at - from.at) / 1_000;
  const deliveries = to.deliveries - from.deliveries;
  const latencies = senders.flatMap((sender) => sender.latencies()).sort((a, b) => a - b);
  const quantile = (q) => latencies[Math.floor(q * (latencies.length - 1))]?.toFixed(1);
  console.log(`${cpus()[0]?.model.trim() ?? 'CPU'}, ${cpus().length} cores, Node ${process.versions.node}`);
  console.table({
    subscribers: options.subscribers,
    senders: `${options.senders} × ${options.window} in flight, ${options.text} bytes`,
    'deliveries/s': Math.round(deliveries / seconds),
    'acked (committed)/s': Math.round((to.acked - from.acked) / seconds),
    'server CPU µs/delivery': deliveries > 0 ? (((to.cpuMs - from.cpuMs) * 1_000) / deliveries).toFixed(2) : '–',
    'ack latency p50/p99 ms': `${quantile(0.5)} / ${quantile(0.99)}`,
  });
}

async function startSubscribers(room) {
  const child = fork(new URL('./subscribers.js', import.meta.url), { stdio: 'inherit' });
  const tokens = Array.from({ length: options.subscribers }, (_, i) => token(`reader${i}`));
  child.send({ port, count: options.subscribers, room, tokens });
  let deliveries = 0;
  await new Promise((resolve, reject) => {
    child.on('message', (message) => {
      if (message.ready) resolve();
      else deliveries = message.deliveries;
    });
    child.once('exit', (code) => reject(new Error(`the subscribers ended with ${code}`)));
  });
  return { child, deliveries: () => deliveries };
}

/** A member with `window` sends in flight. */
async function openSender(user, room) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, {
    headers: { authorization: `Bearer ${token(user)}` },
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  const text = 'x'.repeat(options.text);
  const started = new Map();
  const latencies = [];
  let acked = 0;
  let id = 1;
  let isRunning = false;
  const command = (event, data) => socket.send(JSON.stringify({ id: id++, event, data }));
  const send = () => {
    started.set(id, performance.now());
    command('message.send', { room, clientId: randomUUID(), text });
  };
  const joined = new Promise((resolve) => {
    socket.on('message', (data) => {
      const frame = JSON.parse(data);
      if (frame.event === 'error') throw new Error(JSON.stringify(frame));
      if (frame.event !== 'ack') return;
      const at = started.get(frame.id);
      if (at === undefined) return resolve();
      started.delete(frame.id);
      latencies.push(performance.now() - at);
      acked++;
      if (isRunning) send();
    });
  });
  command('room.join', { room });
  await joined;
  return {
    start: () => {
      isRunning = true;
      for (let i = 0; i < options.window; i++) send();
    },
    stop: () => (isRunning = false),
    acked: () => acked,
    latencies: () => latencies,
  };
}

async function makeRoom() {
  const response = await fetch(`http://127.0.0.1:${port}/v1/rooms`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token('owner')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'public', name: 'bench' }),
  });
  if (response.status !== 201) throw new Error(await response.text());
  return (await response.json()).id;
}

async function untilReady() {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (server.exitCode !== null) throw new Error('the server did not start');
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null);
    if (response?.ok) return;
    await delay(100);
  }
  throw new Error('the server is not ready');
}

function token(sub) {
  const now = Math.floor(Date.now() / 1_000);
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = { sub, iss: 'parley', aud: 'parley', iat: now, exp: now + 3_600, jti: randomUUID() };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address();
  probe.close();
  await once(probe, 'close');
  return free;
}
