-- Puts a failed message at the end of its queue again, as if it had just been accepted. Its new log counts on from the
-- old one, so that a listener who comes back with an id of the old one misses nothing of the new.
--
-- Or, if that is asked for or the message did not fail, puts its callback that was given up into the outbox again.
--
-- ARGV    8 message   9 most that may wait   10 '1': only the callback
-- answer  {'queued', position}  {'redelivering'}  {'full', length}  {'not_failed', status}  {'not_undelivered'}, or nil when this
--         queue does not know the message
local id, m, only_callback = ARGV[8], message_key(ARGV[8]), ARGV[10] == '1'

local stored = redis.call('HMGET', m, 'queue', 'status', 'keys', 'last', 'callback_status')
if stored[1] ~= queue then return false end
if only_callback or stored[2] ~= 'failed' then
  if stored[5] ~= 'undelivered' then return only_callback and { 'not_undelivered' } or { 'not_failed', stored[2] } end
  call_back_no_more(id)
  call_back(id)
  redis.call('PERSIST', m)
  redis.call('PERSIST', log_key(id))
  notice(id, 'redelivering')
  return { 'redelivering' }
end
local length = redis.call('LLEN', WAITING)
if length >= tonumber(ARGV[9]) then return { 'full', length } end

-- Its new end will be called back.
call_back_no_more(id)
redis.call('PERSIST', m)
redis.call('HDEL', m, 'token', 'started_at', 'ended_at', 'code', 'error', 'callback_told', 'callback_untold')
redis.call('HSET', m, 'status', 'queued', 'position', length + 1, 'queued_at', now, 'attempts', 0,
  'first', stored[4] + 1, 'last', stored[4] + 1)
redis.call('DEL', log_key(id))
redis.call('HINCRBY', COUNTS, 'accepted', 1)
redis.call('ZREM', base .. 'dead', id)
for _, key in ipairs(cjson.decode(stored[3])) do
  local d = deduplication_key(key)
  if redis.call('GET', d) == 'failed|' .. id then redis.call('SET', d, '|' .. id, 'KEEPTTL') end
end
notice(id, 'requeued')
return { 'queued', push(id) }
