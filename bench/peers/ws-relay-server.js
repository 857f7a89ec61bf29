// A chat relay on bare `ws`, as one would write it in an afternoon: rooms of sockets, nothing stored, nobody checked.
import { WebSocketServer } from 'ws';

const rooms = new Map();
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => console.log(`listening on :${server.address().port}/`));

server.on('connection', (socket) => {
  socket.joined = [];
  socket.on('message', (data) => {
    const { id, event, room, text } = JSON.parse(data);
    if (event === 'subscribe') {
      if (!rooms.has(room)) rooms.set(room, new Set());
      rooms.get(room).add(socket);
      socket.joined.push(room);
    } else {
      const frame = JSON.stringify({ event: 'message', room, id, text, at: new Date().toISOString() });
      for (const receiver of rooms.get(room) ?? []) receiver.send(frame);
    }
    socket.send(JSON.stringify({ id, event: 'ack' }));
  });
  socket.on('close', () => {
    for (const room of socket.joined) rooms.get(room).delete(socket);
  });
});

process.on('SIGTERM', () => process.exit(0));
