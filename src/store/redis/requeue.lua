-- Puts a failed message at the end of its queue again, as if it had just been accepted. Its new log counts on from the
-- old one, so that a listener who comes back with an id of the old one misses nothing of the new.
--
-- Or, if that is asked for or the message did not fail, puts its callback that was given up into the outbox again.
--
-- ARGV    1 base   2 queue   3 message   4 most that may wait   5 '1': only the callback
-- answer  {'queued', position}  {'redelivering'}  {'full', length}  {'not_failed', status}  {'not_undelivered'}, or nil when this
--         queue does not know the message
local base, queue, id, most, only = unpack(ARGV)
-- with clock, keys, deduplication, waiting, notice, callback

local m, only_callback = message_key(id), only == '1'

-- Takes the callback out of the outbox, wherever it stands there; whoever is making it has lost its claim.
local function call_back_no_more(url, status)
  if status == 'pending' then
    local to = destination(url)
    redis.call('LREM', outbox_key(to), 1, id)
    redis.call('HINCRBY', base .. 'counts', 'callbacks', -1)
    if redis.call('HGET', delivery_key(to), 'message') == id then redis.call('DEL', delivery_key(to)) end
    if redis.call('EXISTS', outbox_key(to)) == 1 then
      redis.call('ZADD', base .. 'outbox', stamp, to)
    else
      redis.call('ZREM', base .. 'outbox', to)
    end
  end
  redis.call('ZREM', base .. 'dead', CALLBACK .. id)
  redis.call('HDEL', m, 'callback_status', 'callback_attempts', 'callback_since', 'callback_error', 'callback_token')
end

local stored = redis.call('HMGET', m, 'queue', 'status', 'keys', 'last', 'callback_status', 'callback_url')
if stored[1] ~= queue then return false end
if only_callback or stored[2] ~= 'failed' then
  if stored[5] ~= 'undelivered' then return only_callback and { 'not_undelivered' } or { 'not_failed', stored[2] } end
  call_back_no_more(stored[6], stored[5])
  call_back(id, stored[6])
  redis.call('PERSIST', m)
  redis.call('PERSIST', log_key(id))
  notice(id, 'redelivering')
  return { 'redelivering' }
end
local length = redis.call('LLEN', WAITING)
if length >= tonumber(most) then return { 'full', length } end

-- Its new end will be called back.
call_back_no_more(stored[6], stored[5])
redis.call('PERSIST', m)
redis.call('HDEL', m, 'token', 'started_at', 'ended_at', 'code', 'error', 'callback_told', 'callback_untold')
redis.call('HSET', m, 'status', 'queued', 'position', length + 1, 'queued_at', stamp, 'attempts', 0,
  'first', stored[4] + 1, 'last', stored[4] + 1)
redis.call('DEL', log_key(id))
redis.call('ZREM', base .. 'dead', id)
for _, name in ipairs(cjson.decode(stored[3])) do
  local d = deduplication_key(name)
  if redis.call('GET', d) == 'failed|' .. id then redis.call('SET', d, '|' .. id, 'KEEPTTL') end
end
notice(id, 'requeued')
return { 'queued', push(id) }
