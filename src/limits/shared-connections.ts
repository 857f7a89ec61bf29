import type { RedisClient } from '../redis/redis-connections.js';

/**
 * How many sockets a user has on each instance: one hash a user, a field an instance, `count:expiry`. What is not renewed within the lease
 * does not count any more, so that a crashed instance's sockets are forgotten.
 */
const COUNT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local others = 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local count, expiry = string.match(fields[i + 1], '^(%d+):(%d+)$')
  if tonumber(expiry) <= now then redis.call('HDEL', KEYS[1], fields[i])
  elseif fields[i] ~= ARGV[1] then others = others + tonumber(count) end
end
local count = tonumber(ARGV[2])
local max = tonumber(ARGV[4])
if max >= 0 and others + count > max then return others end
if count == 0 then redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], count .. ':' .. string.format('%d', now + ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return others`;

type Run = (key: string, instance: string, count: number, leaseMs: number, max: number) => Promise<number>;

/** Every method rejects when Redis does not answer within 100 ms. */
export class SharedConnections {
  readonly #run: Run;

  constructor(
    client: RedisClient,
    private readonly prefix: string,
    private readonly instanceId: string,
    private readonly leaseMs: number,
  ) {
    client.defineCommand('parleyCountConnections', { lua: COUNT, numberOfKeys: 1 });
    this.#run = (client as unknown as { parleyCountConnections: Run }).parleyCountConnections.bind(client);
  }

  /** Says that this instance has `count`, for the length of a lease; 0 ends it. @returns how many the others have */
  tell(user: string, count: number): Promise<number> {
    return this.#call(user, count, -1);
  }

  /** As `tell`; but with more than `max` of all, nothing is said. In one step, so that of two at once only one gets the last. */
  claim(user: string, count: number, max: number): Promise<number> {
    return this.#call(user, count, max);
  }

  #call(user: string, count: number, max: number): Promise<number> {
    return this.#run(`${this.prefix}:connections:${user}`, this.instanceId, count, this.leaseMs, max);
  }
}
