-- Claims the oldest callback of a destination.
--
-- ARGV    1 base   2 queue   3 broker   4 url   5 lease of the claim in ms
-- answer  {message, token, details, attempts before, ms since the first of them, event told of last, event told of in vain,
--          trace}, or nil
local base, queue, broker, url, lease = unpack(ARGV)
-- with clock, keys, destination

local to, finish = destination(url), now + lease
local due = redis.call('ZSCORE', base .. 'outbox', to)
local held = redis.call('HMGET', delivery_key(to), 'owner', 'until')
if not due then return false end
-- Own claims of before are claimed anew; what is postponed has no owner.
if held[1] ~= broker and tonumber(due) > now then return false end

while true do
  local id = redis.call('LINDEX', outbox_key(to), 0)
  if not id then
    redis.call('ZREM', base .. 'outbox', to)
    redis.call('DEL', delivery_key(to))
    return false
  end
  local m = redis.call('HMGET', message_key(id), 'status', 'callback', 'callback_attempts', 'callback_since',
    'callback_told', 'callback_untold', 'trace')
  if m[1] then
    local token = redis.call('HINCRBY', base .. 'counts', 'token', 1)
    redis.call('HSET', delivery_key(to), 'owner', broker, 'token', token, 'message', id, 'until', finish)
    redis.call('ZADD', base .. 'outbox', finish, to)
    return { id, token, m[2], tonumber(m[3] or 0), m[4] and now - m[4] or 0, tonumber(m[5] or 0), tonumber(m[6] or 0), m[7] }
  end
  -- Its data can only be missing where Redis was allowed to evict it.
  redis.call('LPOP', outbox_key(to))
  redis.call('HINCRBY', base .. 'counts', 'callbacks', -1)
end
