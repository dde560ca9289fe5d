-- Put in front of every script that changes a queue.
--
-- KEYS  1 due   2 heads   3 counts   4 w:<queue>   5 q:<queue>
-- ARGV  1 base of the shard's keys   2 queue   3 this broker   4 lease in ms   5... the script's own
--
-- Keys of messages are made from the base: which message is next is known only here. They carry the same hash tag.
-- Scripts check first and write after, so that a refusal (also Redis' own, when memory is full) leaves nothing half done.
local DUE, HEADS, COUNTS, WAITING, CLAIM = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base, queue, broker, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function message_key(id) return base .. 'm:' .. id end
local function log_key(id) return base .. 'e:' .. id end
-- The length keeps queue and key apart, whatever characters they hold.
local function deduplication_key(key) return base .. 'd:' .. #queue .. ':' .. queue .. ':' .. key end

-- Tells other brokers; this one tells its own watchers when the script has answered.
local function publish(id, last, moved)
  redis.call('SPUBLISH', base .. 'c:' .. queue, cjson.encode({ broker, id, last, moved }))
end

-- Writes events (name, data, name, data...) behind event `last`. In portions: Lua passes at most some 8,000 arguments.
local function write_log(id, last, events, from)
  local i = from
  while i <= #events do
    local to = math.min(i + 1999, #events)
    last = last + (to - i + 1) / 2
    redis.call('XADD', log_key(id), string.format('%d-0', last), unpack(events, i, to))
    i = to + 1
  end
  return last
end

-- Adds ARGV[from...] behind event `last`, unless that has happened already. True, or false when the log is elsewhere.
local function log(id, last, from)
  local stored = tonumber(redis.call('HGET', message_key(id), 'last') or -1)
  local finish = last + (#ARGV - from + 1) / 2
  if stored == finish then return true end
  if stored ~= last then return false end
  write_log(id, last, ARGV, from)
  redis.call('HSET', message_key(id), 'last', finish)
  return true
end

local function gap(id)
  return { 'gap', tonumber(redis.call('HGET', message_key(id), 'last') or -1) }
end

-- {message, token, attempt, payload, last, queued_at} of the present claim.
local function claimed()
  local claim = redis.call('HMGET', CLAIM, 'message', 'token')
  local m = redis.call('HMGET', message_key(claim[1]), 'attempts', 'payload', 'last', 'queued_at')
  return { claim[1], tonumber(claim[2]), tonumber(m[1]), m[2], tonumber(m[3]), tonumber(m[4]) }
end

-- As JSON.stringify writes it.
local function quoted(text)
  return (string.gsub(cjson.encode(text), '\\/', '/'))
end

-- Claims a message as its next attempt. `reason`: why the attempt before ended, false at the first.
local function take(id, reason, nonce, previous)
  local m = message_key(id)
  local stored = redis.call('HMGET', m, 'attempts', 'last')
  local attempt, last = stored[1] + 1, tonumber(stored[2])
  local events = {}
  if reason then
    events[1] = 'retrying'
    events[2] = string.format('{"message_id":%s,"attempt":%d,"reason":%s}', quoted(id), attempt, quoted(reason))
  end
  events[#events + 1] = 'processing'
  events[#events + 1] = string.format('{"message_id":%s,"attempt":%d}', quoted(id), attempt)
  last = write_log(id, last, events, 1)
  redis.call('HSET', m, 'status', 'processing', 'attempts', attempt, 'last', last)
  local token = redis.call('HINCRBY', COUNTS, 'token', 1)
  redis.call('HSET', CLAIM, 'message', id, 'owner', broker, 'token', token, 'until', now + lease,
    'nonce', nonce, 'previous', previous)
  redis.call('ZADD', DUE, now + lease, queue)
  publish(id, last, not reason)
  return claimed()
end

-- Claims the first waiting message; false when none waits.
local function claim_next(nonce, previous)
  local id
  repeat
    id = redis.call('LPOP', WAITING)
    if id then redis.call('HINCRBY', COUNTS, 'waiting', -1) end
    -- Its data can only be missing where Redis was allowed to evict it; the queue goes on without it.
  until not id or redis.call('EXISTS', message_key(id)) == 1

  local head = redis.call('LINDEX', WAITING, 0)
  if head then
    redis.call('ZADD', HEADS, redis.call('HGET', message_key(head), 'queued_at') or now, queue)
  else
    redis.call('ZREM', HEADS, queue)
  end
  if not id then
    redis.call('ZREM', DUE, queue)
    return false
  end
  redis.call('HINCRBY', COUNTS, 'processing', 1)
  return take(id, false, nonce, previous)
end

local function holds(token) return redis.call('HGET', CLAIM, 'token') == token end

local function prolong()
  redis.call('HSET', CLAIM, 'until', now + lease)
  redis.call('ZADD', DUE, now + lease, queue)
end
