-- Put in front of every script that changes a queue. `scripts.ts` puts the words the broker ends messages with before it.
--
-- KEYS  1 due   2 heads   3 counts   4 w:<queue>   5 q:<queue>
-- ARGV  1 base of the shard's keys   2 queue   3 this broker   4 lease   5 retention   6 retention of a failed message
--       7 how long a message may wait (all in ms)   8... the script's own
--
-- Keys of messages are made from the base: which message is next is known only here. They carry the same hash tag.
-- Scripts check first and write after, so that a refusal (also Redis' own, when memory is full) leaves nothing half done.
local DUE, HEADS, COUNTS, WAITING, CLAIM = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base, queue, broker = ARGV[1], ARGV[2], ARGV[3]
local OUTBOX = base .. 'outbox'
-- Before the id of a message whose callback is a dead letter.
local CALLBACK = 'callback:'
local lease, retention, dead_retention, ttl = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function message_key(id) return base .. 'm:' .. id end
local function log_key(id) return base .. 'e:' .. id end
-- The length keeps queue and key apart, whatever characters they hold.
local function deduplication_key(key) return base .. 'd:' .. #queue .. ':' .. queue .. ':' .. key end


-- One user's callbacks to one URL.
local function destination(url) return #queue .. ':' .. queue .. ':' .. url end
local function outbox_key(to) return base .. 'o:' .. to end
local function delivery_key(to) return base .. 'x:' .. to end

-- Tells the brokers. `from`: the one that needs not be told, because it tells its own watchers when the script has answered.
local function publish(id, last, moved, from)
  redis.call('SPUBLISH', base .. 'c:' .. queue, cjson.encode({ from, id, last, moved }))
end

-- What is done here to messages from outside: {message, deed, attempts, trace} of each, told with the script's answer.
local notices = {}
local function notice(id, deed)
  local m = redis.call('HMGET', message_key(id), 'attempts', 'trace')
  notices[#notices + 1] = { id, deed, tonumber(m[1] or 0), m[2] or '' }
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

-- As JSON.stringify writes it.
local function quoted(text)
  return (string.gsub(cjson.encode(text), '\\/', '/'))
end

-- Puts a message at the end of the queue; answers its place.
local function push(id)
  local length = redis.call('RPUSH', WAITING, id)
  if length == 1 then redis.call('ZADD', HEADS, now, queue) end
  -- A queue that is being worked on keeps the end of its lease.
  redis.call('ZADD', DUE, 'NX', now, queue)
  redis.call('HINCRBY', COUNTS, 'waiting', 1)
  return length
end

-- After messages were taken from the waiting list: the index says what is left.
local function reindex()
  local head = redis.call('LINDEX', WAITING, 0)
  if head then
    redis.call('ZADD', HEADS, redis.call('HGET', message_key(head), 'queued_at') or now, queue)
  else
    redis.call('ZREM', HEADS, queue)
    if redis.call('EXISTS', CLAIM) == 0 then redis.call('ZREM', DUE, queue) end
  end
end

-- Puts the callback of a message into the outbox, unless there is none or it is there or was made.
local function call_back(id)
  local m = message_key(id)
  local url = redis.call('HGET', m, 'callback_url')
  if not url or redis.call('HEXISTS', m, 'callback_status') == 1 then return end
  redis.call('HSET', m, 'callback_status', 'pending')
  redis.call('HINCRBY', COUNTS, 'callbacks', 1)
  local to = destination(url)
  if redis.call('RPUSH', outbox_key(to), id) == 1 then redis.call('ZADD', OUTBOX, now, to) end
end

-- Takes the callback of a message out of the outbox, wherever it stands there; whoever is making it has lost its claim.
local function call_back_no_more(id)
  local m = message_key(id)
  if redis.call('HGET', m, 'callback_status') == 'pending' then
    local to = destination(redis.call('HGET', m, 'callback_url'))
    redis.call('LREM', outbox_key(to), 1, id)
    redis.call('HINCRBY', COUNTS, 'callbacks', -1)
    if redis.call('HGET', delivery_key(to), 'message') == id then redis.call('DEL', delivery_key(to)) end
    if redis.call('EXISTS', outbox_key(to)) == 1 then redis.call('ZADD', OUTBOX, now, to) else redis.call('ZREM', OUTBOX, to) end
  end
  redis.call('ZREM', base .. 'dead', CALLBACK .. id)
  redis.call('HDEL', m, 'callback_status', 'callback_attempts', 'callback_since', 'callback_error', 'callback_token')
end

-- From now on a message and its log are kept for so long.
local function keep(id, ms)
  redis.call('PEXPIRE', message_key(id), ms)
  redis.call('PEXPIRE', log_key(id), ms)
end

-- Does this broker hold the claim of a destination's callback under this token?
local function delivers(to, token)
  local held = redis.call('HMGET', delivery_key(to), 'token', 'owner')
  return held[1] == token and held[2] == broker
end

-- Marks a message as ended, for as long as it is kept.
local function close(id, token, status, code, error)
  local m, kept = message_key(id), retention
  redis.call('HINCRBY', COUNTS, status, 1)
  redis.call('HSET', m, 'status', status, 'token', token, 'ended_at', now, 'code', code, 'error', error)
  if status == 'failed' then
    kept = dead_retention
    redis.call('ZREMRANGEBYSCORE', base .. 'dead', '-inf', now - dead_retention)
    redis.call('ZADD', base .. 'dead', now, id)
  else
    redis.call('HDEL', m, 'payload')
  end
  call_back(id)
  -- While its callback is to be made it is kept; that ends with the delivery, or with giving it up.
  if redis.call('HGET', m, 'callback_status') ~= 'pending' then keep(id, kept) end
  for _, key in ipairs(cjson.decode(redis.call('HGET', m, 'keys') or '[]')) do
    -- The key may have run out and be another message's by now.
    local d = deduplication_key(key)
    if redis.call('GET', d) == '|' .. id then redis.call('SET', d, status .. '|' .. id, 'KEEPTTL') end
  end
end

-- Ends a message that nobody works on, with its terminal event. `error`: one of the words, which is its code too.
local function finish(id, status, error)
  local event = string.format('{"message_id":%s,"status":"%s","code":"%s","error":%s}', quoted(id), status, status, quoted(error))
  local last = write_log(id, tonumber(redis.call('HGET', message_key(id), 'last')), { 'error', event }, 1)
  redis.call('HSET', message_key(id), 'last', last)
  close(id, '', status, status, error)
  publish(id, last, true, '')
  notice(id, status)
end

-- Cancels all that wait; answers how many.
local function cancel_waiting()
  local ids = redis.call('LRANGE', WAITING, 0, -1)
  if #ids == 0 then return 0 end
  redis.call('DEL', WAITING)
  redis.call('HINCRBY', COUNTS, 'waiting', -#ids)
  for _, id in ipairs(ids) do
    if redis.call('EXISTS', message_key(id)) == 1 then finish(id, 'cancelled', CANCELLED) end
  end
  return #ids
end

-- Ends the messages at the head that have waited for too long, at most `most`; answers how many.
local function expire_waiting(most)
  local count = 0
  while count < most do
    local id = redis.call('LINDEX', WAITING, 0)
    if not id then break end
    local queued_at = redis.call('HGET', message_key(id), 'queued_at')
    if queued_at and queued_at + ttl > now then break end
    redis.call('LPOP', WAITING)
    redis.call('HINCRBY', COUNTS, 'waiting', -1)
    -- Its data can only be missing where Redis was allowed to evict it; the queue goes on without it.
    if queued_at then finish(id, 'expired', EXPIRED) end
    count = count + 1
  end
  return count
end

-- Forgets the claim: its message has ended.
local function unclaim()
  redis.call('DEL', CLAIM)
  redis.call('HINCRBY', COUNTS, 'processing', -1)
end

-- Cancels the claimed message. Answers owner and token of the claim that is to end it; nothing when it has ended here,
-- because its claim ran out or was given up.
local function cancel_claimed()
  local held = redis.call('HMGET', CLAIM, 'message', 'owner', 'token', 'until')
  if not held[1] then return end
  if held[2] ~= '' and tonumber(held[4]) > now then
    redis.call('HSET', CLAIM, 'cancelled', 1)
    notice(held[1], 'cancelling')
    return held[2], tonumber(held[3])
  end
  if redis.call('EXISTS', message_key(held[1])) == 1 then finish(held[1], 'cancelled', CANCELLED) end
  unclaim()
  -- Whatever waits is due at once, not when the claim would have been.
  redis.call('ZREM', DUE, queue)
  if redis.call('LLEN', WAITING) > 0 then redis.call('ZADD', DUE, now, queue) end
end

-- {message, token, attempt, payload, last, ms from its acceptance to its first claim, events, callback's url, when its turn comes, trace} of the present claim. `events`: how many it has just written.
local function claimed(events)
  local claim = redis.call('HMGET', CLAIM, 'message', 'token')
  local m = redis.call('HMGET', message_key(claim[1]), 'attempts', 'payload', 'last', 'queued_at', 'callback_url', 'callback_from', 'started_at', 'trace')
  return { claim[1], tonumber(claim[2]), tonumber(m[1]), m[2], tonumber(m[3]), m[7] - m[4], events, m[5], m[6], m[8] }
end

-- Claims a message as its next attempt. `reason`: why the attempt before ended, false when there was none or it was told.
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
  if attempt == 1 then
    redis.call('HSET', m, 'started_at', now)
    if redis.call('HGET', m, 'callback_from') == 'start' then call_back(id) end
  end
  local token = redis.call('HINCRBY', COUNTS, 'token', 1)
  redis.call('HSET', CLAIM, 'message', id, 'owner', broker, 'token', token, 'until', now + lease,
    'nonce', nonce, 'previous', previous, 'unused', '', 'told', '')
  redis.call('ZADD', DUE, now + lease, queue)
  publish(id, last, not reason, broker)
  return claimed(#events / 2)
end

-- Has the claim come no further than to say that there will be another attempt? `told`: the event that said so.
local function only_told()
  local held = redis.call('HMGET', CLAIM, 'message', 'told')
  return (held[2] or '') ~= '' and redis.call('HGET', message_key(held[1]), 'last') == held[2]
end

-- Claims the first waiting message; false when none waits.
local function claim_next(nonce, previous)
  expire_waiting(math.huge)
  local id = redis.call('LPOP', WAITING)
  if id then redis.call('HINCRBY', COUNTS, 'waiting', -1) end
  reindex()
  if not id then return false end
  redis.call('HINCRBY', COUNTS, 'processing', 1)
  return take(id, false, nonce, previous)
end

-- Does this broker hold the claim under this token, on this message? Tokens alone could repeat after Redis has lost writes.
local function holds(token, id)
  local held = redis.call('HMGET', CLAIM, 'token', 'owner', 'message')
  return held[1] == token and held[2] == broker and (not id or held[3] == id)
end

local function prolong()
  redis.call('HSET', CLAIM, 'until', now + lease)
  redis.call('ZADD', DUE, now + lease, queue)
end
