-- Takes a destination's oldest callback out of the outbox. A repeat takes out nothing more.
--
-- ARGV    1 base   2 queue   3 broker   4 retention   5 that of a failed message   6 url   7 token   8 message
--         9 status   10 attempts   11 what came of the last one
-- answer  1 when more wait for the destination, else 0; nil when the claim was lost
local base, queue, broker, retention, dead_retention, url, token, id, status, attempts, error = unpack(ARGV)
-- with clock, keys, delivery, ending, dead

local to, m = destination(url), message_key(id)
if redis.call('HGET', m, 'callback_token') ~= token then
  if not delivers(to, token) then return false end
  redis.call('LPOP', outbox_key(to))
  redis.call('HINCRBY', base .. 'counts', 'callbacks', -1)
  redis.call('HSET', m, 'callback_status', status, 'callback_attempts', attempts, 'callback_error', error, 'callback_token', token)
  local message_status = redis.call('HGET', m, 'status')
  local kept = (message_status == 'failed' or status == 'undelivered') and dead_retention or retention
  if status == 'undelivered' then dead_letter(CALLBACK .. id) end
  if message_status ~= 'queued' and message_status ~= 'processing' then keep(id, kept) end
  if redis.call('EXISTS', outbox_key(to)) == 1 then
    redis.call('HSET', delivery_key(to), 'owner', '', 'token', '')
    redis.call('ZADD', base .. 'outbox', stamp, to)
  else
    redis.call('DEL', delivery_key(to))
    redis.call('ZREM', base .. 'outbox', to)
  end
end
return redis.call('EXISTS', outbox_key(to))
