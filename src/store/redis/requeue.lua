-- Puts a failed message at the end of its queue again, as if it had just been accepted. Its new log counts on from the
-- old one, so that a listener who comes back with an id of the old one misses nothing of the new.
--
-- ARGV    8 message   9 most that may wait
-- Of another message, a callback that was given up is put into the outbox again.
-- answer  {'queued', position}  {'redelivering'}  {'full', length}  {'not_failed', status}, or nil when this queue does not know the message
local id, m = ARGV[8], message_key(ARGV[8])

local stored = redis.call('HMGET', m, 'queue', 'status', 'keys', 'last')
if stored[1] ~= queue then return false end
local undelivered = redis.call('HGET', m, 'callback_status') == 'undelivered'
if stored[2] ~= 'failed' and not undelivered then return { 'not_failed', stored[2] } end
local length = redis.call('LLEN', WAITING)
if stored[2] == 'failed' and length >= tonumber(ARGV[9]) then return { 'full', length } end

-- One that still waits in the outbox stays there.
if redis.call('HGET', m, 'callback_status') ~= 'pending' then
  redis.call('HDEL', m, 'callback_status', 'callback_attempts', 'callback_since', 'callback_error', 'callback_token')
end
if stored[2] ~= 'failed' then
  redis.call('ZREM', base .. 'dead', id)
  call_back(id)
  local kept = math.max(retention, redis.call('HGET', m, 'callback_keep'))
  redis.call('PEXPIRE', m, kept)
  redis.call('PEXPIRE', log_key(id), kept)
  return { 'redelivering' }
end

redis.call('PERSIST', m)
redis.call('HDEL', m, 'token', 'started_at', 'ended_at', 'code', 'error')
redis.call('HSET', m, 'status', 'queued', 'position', length + 1, 'queued_at', now, 'attempts', 0,
  'first', stored[4] + 1, 'last', stored[4] + 1)
redis.call('DEL', log_key(id))
redis.call('ZREM', base .. 'dead', id)
for _, key in ipairs(cjson.decode(stored[3])) do
  local d = deduplication_key(key)
  if redis.call('GET', d) == 'failed|' .. id then redis.call('SET', d, '|' .. id, 'KEEPTTL') end
end
return { 'queued', push(id) }
