-- Takes a destination's oldest callback out of the outbox. A repeat takes out nothing more.
--
-- ARGV    8 url   9 token   10 message   11 status   12 attempts   13 what came of the last one
-- answer  1 when more wait for the destination, else 0; nil when the claim was lost
local to, token, id, status = destination(ARGV[8]), ARGV[9], ARGV[10], ARGV[11]
local m = message_key(id)

if redis.call('HGET', m, 'callback_token') ~= token then
  if not delivers(to, token) then return false end
  redis.call('LPOP', outbox_key(to))
  redis.call('HINCRBY', COUNTS, 'callbacks', -1)
  redis.call('HSET', m, 'callback_status', status, 'callback_attempts', ARGV[12], 'callback_error', ARGV[13],
    'callback_token', token)
  local message_status = redis.call('HGET', m, 'status')
  local kept = (message_status == 'failed' or status == 'undelivered') and dead_retention or retention
  if status == 'undelivered' then
    redis.call('ZREMRANGEBYSCORE', base .. 'dead', '-inf', now - dead_retention)
    redis.call('ZADD', base .. 'dead', now, CALLBACK .. id)
  end
  if message_status ~= 'queued' and message_status ~= 'processing' then keep(id, kept) end
  if redis.call('EXISTS', outbox_key(to)) == 1 then
    redis.call('HSET', delivery_key(to), 'owner', '', 'token', '')
    redis.call('ZADD', OUTBOX, now, to)
  else
    redis.call('DEL', delivery_key(to))
    redis.call('ZREM', OUTBOX, to)
  end
end
return redis.call('EXISTS', outbox_key(to))
