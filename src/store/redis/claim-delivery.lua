-- Claims the oldest callback of a destination.
--
-- ARGV    8 url   9 lease of the claim in ms
-- answer  {message, token, details, attempts before, ms since the first of them}, or nil
local to, until_ms = destination(ARGV[8]), now + ARGV[9]

local due = redis.call('ZSCORE', OUTBOX, to)
local held = redis.call('HMGET', delivery_key(to), 'owner', 'until')
if not due then return false end
-- Own claims of before are claimed anew; what is postponed has no owner.
if held[1] ~= broker and tonumber(due) > now then return false end

while true do
  local id = redis.call('LINDEX', outbox_key(to), 0)
  if not id then
    redis.call('ZREM', OUTBOX, to)
    redis.call('DEL', delivery_key(to))
    return false
  end
  local m = redis.call('HMGET', message_key(id), 'status', 'callback_from', 'callback', 'callback_attempts', 'callback_since')
  -- Whoever was put into the queue again will call back at the new end.
  local runs = m[1] == 'queued' or m[1] == 'processing'
  if m[1] and (m[2] == 'start' or not runs) then
    local token = redis.call('HINCRBY', COUNTS, 'token', 1)
    redis.call('HSET', delivery_key(to), 'owner', broker, 'token', token, 'message', id, 'until', until_ms)
    redis.call('ZADD', OUTBOX, until_ms, to)
    return { id, token, m[3], tonumber(m[4] or 0), m[5] and now - m[5] or 0 }
  end
  redis.call('LPOP', outbox_key(to))
  redis.call('HINCRBY', COUNTS, 'callbacks', -1)
  if m[1] then redis.call('HDEL', message_key(id), 'callback_status') end
end
