import { COUNTER, clientFrame, loadText } from './frames.js';

/**
 * How each peer is spoken to. `steps` are the opening: a client waits for the words, then sends the frames, until it is through.
 * A ping is answered only when it comes alone, as it does where nothing else is going on: busy runs are shorter than any peer's patience.
 */
export const DIALECTS = {
  'ws-relay': {
    path: () => '/',
    steps: ({ rooms }) => [
      { await: '\r\n\r\n', send: rooms.map(({ id }) => JSON.stringify({ event: 'subscribe', room: id })) },
      ...acks(rooms),
    ],
    send: (room, bytes) => `{"id":${COUNTER},"event":"send","room":"${room}","text":"${loadText(bytes)}"}`,
    ping: Buffer.from([0x89, 0]),
    pong: Buffer.from([0x8a, 0x80, 0, 0, 0, 0]),
  },

  // Engine.IO 4 with Socket.IO 5 in it: 0 opens, 40 connects, 42 is an event and 43 its answer, 2 and 3 are ping and pong.
  'socket-io': {
    path: () => '/socket.io/?EIO=4&transport=websocket',
    steps: ({ rooms }) => [
      { await: '0{"sid"', send: ['40'] },
      { await: '40{"sid"', send: [`421${JSON.stringify(['subscribe', rooms.map(({ id }) => id)])}`] },
      { await: '431["ack"]', send: [] },
    ],
    send: (room, bytes) => `42${COUNTER}["message",{"room":"${room}","text":"${loadText(bytes)}"}]`,
    ping: Buffer.from([0x81, 1, 0x32]),
    pong: clientFrame('3'),
  },

  parley: {
    path: () => '/ws',
    steps: ({ rooms }) => [
      {
        await: '"event":"hello"',
        send: rooms.map(({ id, since }, i) => JSON.stringify({ id: i + 1, event: 'room.subscribe', data: { room: id, since } })),
      },
      ...acks(rooms),
    ],
    send: (room, bytes, user) =>
      `{"id":${COUNTER},"event":"message.send","data":{"room":"${room}","clientId":"${user}-${COUNTER}","text":"${loadText(bytes)}"}}`,
    ping: Buffer.from([0x89, 0]),
    pong: Buffer.from([0x8a, 0x80, 0, 0, 0, 0]),
  },
};

function acks(rooms) {
  return rooms.map(() => ({ await: '"ack"', send: [] }));
}
