// A process of its own that opens sockets, subscribes each to one room, and counts what comes by a marker in the bytes: no frame is parsed.
// Messages to the parent: {ready}, then ten times a second {deliveries}, the total so far.
import net from 'node:net';
import { randomBytes } from 'node:crypto';

const { port, count, room, tokens } = await new Promise((resolve) => process.once('message', resolve));
const MARKER = Buffer.from('"event":"message.created"');
let deliveries = 0;
let ready = 0;

/** A masked text frame of a client. */
function clientFrame(text) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const head = Buffer.from([0x81, 0x80 | (payload.length < 126 ? payload.length : 126)]);
  const length = payload.length < 126 ? Buffer.alloc(0) : Buffer.from([payload.length >> 8, payload.length & 255]);
  for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i % 4];
  return Buffer.concat([head, length, mask, payload]);
}

function countMarkers(tail, chunk) {
  const bytes = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
  let end = 0;
  for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, end)) {
    deliveries++;
    end = at + MARKER.length;
  }
  return bytes.subarray(Math.max(end, bytes.length - MARKER.length + 1));
}

function open(index) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('error', reject);
    let opening = '';
    let tail = Buffer.alloc(0);
    let isReady = false;
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nAuthorization: Bearer ${tokens[index % tokens.length]}\r\n\r\n`,
    );
    socket.on('data', (chunk) => {
      if (isReady) {
        tail = countMarkers(tail, chunk);
        return;
      }
      const before = opening;
      opening += chunk.toString('latin1');
      if (!before.includes('"hello"') && opening.includes('"hello"')) {
        socket.write(clientFrame(JSON.stringify({ id: 1, event: 'room.subscribe', data: { room } })));
      }
      if (opening.includes('"event":"ack"')) {
        isReady = true;
        ready++;
        resolve();
      } else if (opening.includes('"event":"error"')) {
        reject(new Error(opening));
      }
    });
  });
}

for (let i = 0; i < count; i += 100) {
  await Promise.all(Array.from({ length: Math.min(100, count - i) }, (_, j) => open(i + j)));
}
process.send({ ready });
const reporting = setInterval(() => process.send({ deliveries }), 100);
process.on('disconnect', () => {
  clearInterval(reporting);
  process.exit(0);
});
