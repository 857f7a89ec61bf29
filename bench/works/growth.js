import { parley } from '../peers/parley.js';
import { growthAtMost } from '../targets.js';
import { enter, makeRooms, talk, talkRow } from './chat.js';

const MOST = 1.5;

/** One room of more and more subscribers, of whom ten send with four in flight. */
export const roomGrowth = {
  name: 'room-growth',
  title: 'growth: a room of 100 to 5,000, 10 senders × 4 in flight',
  peers: [parley],
  async run({ context, peer, running }, { quick }) {
    const rows = [];
    for (const clients of quick ? [50, 150] : [100, 1_000, 5_000]) {
      const rooms = makeRooms(1);
      const port = running.servers[0].port;
      const specs = Array.from({ length: clients }, (_, i) => enter(i, rooms, { port, running, sends: i < 10 }));
      const loop = ['closedLoop', { senders: 10, window: 4 }];
      const measured = await talk({ context, peer, running }, { rooms, specs, loop, receivers: clients });
      rows.push(talkRow(`${peer.name}, ${clients.toLocaleString('en')}`, measured));
    }
    return rows;
  },
  judge: (rows) => [growthAtMost('server µs a delivery, most ÷ fewest', rows, 'microsPerDelivery', MOST)],
};

const ROOM_SIZE = 10;
/** As many rooms a connection as the protocol allows, when there are 10,000. */
const CONNECTIONS = 500;

/** More and more rooms of ten, over up to 500 connections that all send in turn to all their rooms, at a rate that stays the same. */
export const roomsGrowth = {
  name: 'rooms-growth',
  title: 'growth: 10 to 10,000 rooms of 10, 1,000 messages/s',
  peers: [parley],
  async run({ context, peer, running }, { quick }) {
    const rows = [];
    for (const count of quick ? [5, 50] : [10, 1_000, 10_000]) {
      const rooms = makeRooms(count);
      const clients = Math.min(CONNECTIONS, count * ROOM_SIZE);
      const port = running.servers[0].port;
      const roomsOf = Array.from({ length: clients }, () => []);
      rooms.forEach((room, r) => {
        for (let place = 0; place < ROOM_SIZE; place++) roomsOf[(r * ROOM_SIZE + place) % clients].push(room);
      });
      const specs = roomsOf.map((own, i) => enter(i, own, { port, running, sends: true }));
      const loop = ['openLoop', { senders: clients, perSecond: quick ? 200 : 1_000 }];
      const measured = await talk({ context, peer, running }, { rooms, specs, loop, receivers: ROOM_SIZE });
      rows.push(talkRow(`${peer.name}, ${count.toLocaleString('en')}`, measured));
    }
    return rows;
  },
  judge: (rows) => [growthAtMost('server µs a message, most ÷ fewest', rows, 'microsPerMessage', MOST)],
};
