// Loaded before the server by `node --import`: of what Redis brings this process about rooms, and of acts, a part is dropped, repeated
// or late, by FAULT_SEED.
import { Redis } from 'ioredis';

let state = Number(process.env.FAULT_SEED) | 0;

/** From 0 up to, but not, 1 (mulberry32). */
function chance() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
}

const { emit } = Redis.prototype;
Redis.prototype.emit = function (event, channel, ...rest) {
  const isHint = event === 'messageBuffer' && /:room:\{|:all$/.test(String(channel));
  if (!isHint) return emit.call(this, event, channel, ...rest);
  const deliver = () => emit.call(this, event, channel, ...rest);
  const fate = chance();
  if (fate < 0.2) return true;
  if (fate < 0.6) setTimeout(deliver, chance() * 200);
  else deliver();
  if (chance() < 0.3) setTimeout(deliver, chance() * 400);
  return true;
};
