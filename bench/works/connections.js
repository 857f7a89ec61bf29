import { setTimeout as delay } from 'node:timers/promises';
import { residentBytes } from '../measure.js';
import { parley } from '../peers/parley.js';
import { socketIo, wsRelay } from '../peers/relays.js';
import { atLeast, atMost } from '../targets.js';
import { enter, makeRooms, TEXT_BYTES } from './chat.js';

const PEERS = [wsRelay, socketIo, parley];
const ROOM_SIZE = 10;
/** Messages in each room, and how many of them those who come back have missed. */
const OLD = 20;
const MISSED = 10;

/** Opens `count` clients in rooms of ten, every one a user of his own. @returns milliseconds until the last was subscribed */
async function open({ context, peer, running }, count, { atOnce, since, messages = 0 }) {
  const rooms = makeRooms(Math.ceil(count / ROOM_SIZE));
  const port = running.servers[0].port;
  const specs = Array.from({ length: count }, (_, i) => enter(i, [rooms[i % rooms.length]], { port, running, since }));
  await running.prepare(rooms, { messages });
  return context.load.ask('open', { dialect: peer.dialect, specs, atOnce, textBytes: TEXT_BYTES });
}

/** What a server does but once, and memory that it takes but once, is over before anything is measured. */
async function warmUp(stage, count) {
  await open(stage, count, { atOnce: 200 });
  await close(stage);
}

async function close({ context }) {
  await context.load.ask('close');
  await delay(context.closingMs);
}

/** What is held when garbage was collected, and the engine has given back to the system what it gives back. */
async function settledMemory({ running, context }) {
  const [server] = running.servers;
  await server.ask('collect');
  await delay(context.settleMs);
  const { heapUsed } = await server.ask('collect');
  return { resident: residentBytes(server.pid), heapUsed };
}

/** Memory a connection: what the server has with 5,000, less what it has with none after it had some. */
export const idle = {
  name: 'idle',
  title: '5,000 idle connections, in 500 rooms',
  peers: PEERS,
  async run(stage, { quick }) {
    const count = quick ? 200 : 5_000;
    await warmUp(stage, quick ? 50 : 500);
    const empty = await settledMemory(stage);
    await open(stage, count, { atOnce: 200 });
    const full = await settledMemory(stage);
    const { lost } = await stage.context.load.ask('sample');
    await close(stage);
    if (lost > 0) throw new Error(`${lost} connections were lost`);
    const kilobytesEach = (full.resident - empty.resident) / 1_024 / count;
    const heapEach = (full.heapUsed - empty.heapUsed) / 1_024 / count;
    const remark = `${kilobytesEach.toFixed(1)} KB resident a connection (${heapEach.toFixed(1)} of live heap)`;
    return [{ peer: stage.peer.name, kilobytesEach, heapEach, remark }];
  },
  judge: (rows) => [atMost('KB', rows, 'kilobytesEach', parley, 12)],
};

/** A herd that comes back all at once: upgrade with a JWT, then subscribe with `since`. The peers check no token and replay nothing. */
export const connect = {
  name: 'connect',
  title: '5,000 connections at once, each subscribes (Parley: JWT, since)',
  peers: PEERS,
  async run(stage, { quick }) {
    const count = quick ? 200 : 5_000;
    await warmUp(stage, quick ? 50 : 500);
    const counts = stage.peer === parley;
    const statements = () => (counts ? stage.running.servers[0].ask('statements') : NaN);
    const before = await statements();
    const ms = await open(stage, count, { atOnce: count, since: { epoch: 'bench', seq: OLD - MISSED }, messages: OLD });
    const statementsShare = ((await statements()) - before) / count;
    await close(stage);
    const connectionsPerSecond = (count / ms) * 1_000;
    const sql = counts ? `, an SQL statement for ${(1 / statementsShare).toFixed(0)} of them` : '';
    const remark = `${Math.round(connectionsPerSecond).toLocaleString('en')} connections/s${sql}`;
    return [{ peer: stage.peer.name, connectionsPerSecond, ...(counts && { statementsShare }), remark }];
  },
  judge: (rows) => [
    atLeast('connections/s', rows, 'connectionsPerSecond', parley, 1_000),
    atMost('SQL statements a connection', rows, 'statementsShare', parley, 0.05),
  ],
};
