/**
 * What Redis runs in one step, so that a visible change and its publication cannot come apart, and of several instances exactly one makes it.
 * All keys of a script lie in one slot of a cluster.
 *
 * A user's entry is `<chosen> <lease>; <lease>;…`: the leases of the instances that the user is connected to.
 */
const ENTRIES = `
local users, shown, changes = KEYS[1], KEYS[2], {}

local function entryOf(user)
  local entry = redis.call('HGET', users, user)
  if not entry then return nil, '' end
  return string.match(entry, '^(%a+)(.*)$')
end

local function without(leases, token)
  local from, to = string.find(leases, token, 1, true)
  if not from then return leases, false end
  return string.sub(leases, 1, from - 1) .. string.sub(leases, to + 1), true
end

-- Returns what the user is shown as from now on when that is another status than before, else ''.
local function store(user, chosen, leases, at)
  local before = redis.call('HGET', shown, user)
  local after = leases ~= '' and chosen ~= 'invisible' and chosen
  if leases == '' then redis.call('HDEL', users, user) else redis.call('HSET', users, user, chosen .. leases) end
  if before == after then return '' end
  if after then redis.call('HSET', shown, user, after) else redis.call('HDEL', shown, user) end
  local status = after or 'offline'
  changes[#changes + 1] = { user, status, at }
  return status
end

local function publish(channel)
  if #changes > 0 then redis.call('PUBLISH', channel, cjson.encode(changes)) end
end
`;

/**
 * KEYS users, shown, members of the lease. ARGV channel, lease, then act, user, chosen and time of each call.
 * Answers two strings a call: the new visible status, '' for none or '?' for the end of what was not there, and what is chosen now.
 */
export const TELL = `${ENTRIES}
local token, answers = ' ' .. ARGV[2] .. ';', {}
for i = 3, #ARGV, 4 do
  local act, user, wanted, at = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local chosen, leases = entryOf(user)
  local status = ''
  if act == 'connect' then
    redis.call('SADD', KEYS[3], user)
    status = store(user, chosen or wanted, without(leases, token) .. token, at)
    chosen = chosen or wanted
  elseif act == 'disconnect' then
    local left, was = without(leases, token)
    redis.call('SREM', KEYS[3], user)
    if was then status = store(user, chosen, left, at) else status = '?' end
  elseif chosen then
    chosen = wanted
    status = store(user, chosen, leases, at)
  end
  answers[#answers + 1] = status
  answers[#answers + 1] = chosen or ''
end
publish(ARGV[1])
return answers`;

/**
 * Ends some of the users of a lease. KEYS users, shown, members of the lease, its users whose end nobody answers for yet. ARGV channel, lease,
 * time, number of users, then those whose end is answered for now. Answers how many are left, then some ends to answer for.
 */
export const REAP = `${ENTRIES}
local token = ' ' .. ARGV[2] .. ';'
for i = 5, #ARGV do redis.call('HDEL', KEYS[4], ARGV[i]) end
for _, user in ipairs(redis.call('SPOP', KEYS[3], ARGV[4])) do
  local chosen, leases = entryOf(user)
  if chosen and store(user, chosen, without(leases, token), ARGV[3]) == 'offline' then
    redis.call('HSET', KEYS[4], user, ARGV[3])
  end
end
publish(ARGV[1])
local answer = { tostring(redis.call('SCARD', KEYS[3])) }
for _, value in ipairs(redis.call('HRANDFIELD', KEYS[4], ARGV[4])) do answer[#answer + 1] = value end
return answer`;

/** Redis's own clock, so that the instances' clocks do not matter. Milliseconds. */
const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(ms) return string.format('%.0f', ms) end
local leases, seen, claims, leaving = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
`;

/** KEYS leases, seen, claims, leaving. ARGV lease, its life, the lease before it or '', when that one ends. It ends later, not at once: what it held is told anew first. */
export const OPEN = `${CLOCK}
redis.call('ZADD', leases, text(now + ARGV[2]), ARGV[1])
redis.call('HSET', seen, ARGV[1], text(now))
if ARGV[3] ~= '' then
  redis.call('ZADD', leases, 'NX', text(now + ARGV[4]), ARGV[3])
  redis.call('HSETNX', seen, ARGV[3], text(now))
end
return 1`;

/**
 * KEYS as OPEN. ARGV lease, its life, echo channel, how many ended leases to claim, life of a claim.
 * Answers whether the lease is held: not when it is unknown, or ended and claimed. Then lease and time of each that is claimed now.
 */
export const BEAT = `${CLOCK}
local ends = redis.call('ZSCORE', leases, ARGV[1])
if not ends or (tonumber(ends) < now and redis.call('ZSCORE', claims, ARGV[1])) then return { '0' } end
redis.call('ZADD', leases, text(now + ARGV[2]), ARGV[1])
redis.call('HSET', seen, ARGV[1], text(now))
redis.call('PUBLISH', ARGV[3], '')
local answer = { '1' }
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', '(' .. text(now), 'LIMIT', 0, ARGV[4])) do
  local claimed = redis.call('ZSCORE', claims, lease)
  if not claimed or tonumber(claimed) < now then
    redis.call('ZADD', claims, text(now + ARGV[5]), lease)
    answer[#answer + 1] = lease
    answer[#answer + 1] = redis.call('HGET', seen, lease) or text(now)
  end
end
return answer`;

/**
 * KEYS as OPEN. ARGV lease, how long it stays. Answers nothing while a lease is held whose instance goes on: that one will reap this lease.
 * Else lease and time of this one and of all that have left before it: they end now, and the caller reaps them.
 */
export const LEAVE = `${CLOCK}
if not redis.call('ZSCORE', leases, ARGV[1]) then return {} end
redis.call('HSET', seen, ARGV[1], text(now))
redis.call('SADD', leaving, ARGV[1])
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', leases, text(now), '+inf')) do
  if redis.call('SISMEMBER', leaving, lease) == 0 then
    redis.call('ZADD', leases, text(now + ARGV[2]), ARGV[1])
    return {}
  end
end
local answer = {}
for _, lease in ipairs(redis.call('SMEMBERS', leaving)) do
  redis.call('ZADD', leases, text(now - 1), lease)
  answer[#answer + 1] = lease
  answer[#answer + 1] = redis.call('HGET', seen, lease) or text(now)
end
return answer`;

/** KEYS as OPEN. ARGV a lease without users. */
export const FORGET = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
return 1`;
