import { parley, parleyOneInsert } from '../peers/parley.js';
import { socketIo, wsRelay } from '../peers/relays.js';
import { atLeast, atMost, ratio, ratioAtMost } from '../targets.js';
import { enter, makeRooms, talk, talkRow } from './chat.js';

/** Clients spread over the rooms; the first `senders` of them send at each ack, `window` in flight. */
async function fanOut({ context, peer, running }, { clients, rooms: count, senders, window }) {
  const rooms = makeRooms(count);
  const port = running.servers[0].port;
  const specs = Array.from({ length: clients }, (_, i) => enter(i, [rooms[i % count]], { port, running, sends: i < senders }));
  const loop = ['closedLoop', { senders, window }];
  return [talkRow(peer.name, await talk({ context, peer, running }, { rooms, specs, loop, receivers: clients / count }))];
}

const PEERS = [wsRelay, socketIo, parley, parleyOneInsert];

export const oneRoom = {
  name: 'one-room',
  title: '1 room of 1,000, 10 senders × 4 in flight',
  peers: PEERS,
  run: (stage, { quick }) => fanOut(stage, { clients: quick ? 100 : 1_000, rooms: 1, senders: 10, window: 4 }),
  judge: (rows) => [
    ratio('deliveries/s', rows, 'deliveriesPerSecond', parley, socketIo, 4),
    ratio('deliveries/s', rows, 'deliveriesPerSecond', parley, wsRelay, 3.5),
  ],
};

export const oneSender = {
  name: 'one-sender',
  title: '1 room of 1,000, 1 sender × 1 in flight',
  peers: PEERS,
  run: (stage, { quick }) => fanOut(stage, { clients: quick ? 100 : 1_000, rooms: 1, senders: 1, window: 1 }),
  judge: (rows) => [
    ratio('deliveries/s', rows, 'deliveriesPerSecond', parley, socketIo, 1),
    ratioAtMost('p50', rows, 'p50', parley, socketIo, 1),
  ],
};

export const manyRooms = {
  name: 'many-rooms',
  title: '200 rooms of 10, 200 senders × 4 in flight',
  peers: PEERS,
  run: (stage, { quick }) => {
    const rooms = quick ? 20 : 200;
    return fanOut(stage, { clients: rooms * 10, rooms, senders: rooms, window: 4 });
  },
  judge: (rows) => [
    ratio('acked/s', rows, 'ackedPerSecond', parley, parleyOneInsert, 5),
    atLeast('acked/s', rows, 'ackedPerSecond', parley, 7_000),
  ],
};

/** Two instances joined by Redis: what is said at one is heard at the other. */
export const across = {
  name: 'across',
  title: '500 subscribers, 100 messages/s, from one instance to another',
  peers: [socketIo, parley],
  instances: 2,
  async run({ context, peer, running }, { quick }) {
    const [here, there] = running.servers;
    const rooms = makeRooms(1);
    const receivers = quick ? 50 : 500;
    const senders = 10;
    const specs = [
      ...Array.from({ length: senders }, (_, i) => enter(i, rooms, { port: here.port, running, sends: true, subscribes: false })),
      ...Array.from({ length: receivers }, (_, i) => enter(senders + i, rooms, { port: there.port, running })),
    ];
    const loop = ['openLoop', { senders, perSecond: 100 }];
    return [talkRow(peer.name, await talk({ context, peer, running }, { rooms, specs, loop, receivers }))];
  },
  judge: (rows) => [atMost('p50 ms', rows, 'p50', parley, 8), atMost('p99 ms', rows, 'p99', parley, 30)],
};
