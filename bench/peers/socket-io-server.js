// A chat relay on Socket.IO with its Redis adapter, by its documentation: rooms, acknowledgements, WebSocket only; nothing stored, nobody checked.
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const publisher = new Redis(process.env.REDIS_URL);
const subscriber = publisher.duplicate();
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber, { key: process.env.REDIS_PREFIX }),
  transports: ['websocket'],
  serveClient: false,
});

io.on('connection', (socket) => {
  socket.on('subscribe', async (rooms, acknowledge) => {
    await socket.join(rooms);
    acknowledge('ack');
  });
  socket.on('message', ({ room, text }, acknowledge) => {
    io.to(room).emit('message', { room, text, from: socket.id, at: new Date().toISOString() });
    acknowledge('ack');
  });
});

http.listen(0, '127.0.0.1', () => console.log(`listening on :${http.address().port}/`));
process.on('SIGTERM', () => process.exit(0));
