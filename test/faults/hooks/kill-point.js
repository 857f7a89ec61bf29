// Loaded before the server by `node --import`: ends this process, as by `kill -9`, when it comes to FAULT_KILL_POINT for the
// FAULT_KILL_NTH time. Nothing of the server knows of it: what is wrapped are the libraries.
import { Redis } from 'ioredis';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import pg from 'pg';

const { FAULT_KILL_POINT: wanted, FAULT_KILL_NTH: nth } = process.env;
let left = Number(nth);

function at(point) {
  if (point !== wanted || --left > 0) return;
  writeSync(2, `killed ${point}\n`);
  process.kill(process.pid, 'SIGKILL');
  for (;;); // not one more statement
}

const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (config, ...rest) {
  const isAppend = config?.name?.startsWith('append_messages');
  if (isAppend) at('before commit');
  const result = query.call(this, config, ...rest);
  return isAppend && result instanceof Promise ? result.finally(() => at('after commit')) : result;
};

const { publish } = Redis.prototype;
Redis.prototype.publish = function (channel, message) {
  if (Buffer.isBuffer(message) && message.includes('message.created')) at('before publish');
  return publish.call(this, channel, message);
};

const { write } = Socket.prototype;
Socket.prototype.write = function (chunk, ...rest) {
  if (wanted === 'before ack' && Buffer.isBuffer(chunk) && chunk.includes('"duplicate":false')) at('before ack');
  return write.call(this, chunk, ...rest);
};
