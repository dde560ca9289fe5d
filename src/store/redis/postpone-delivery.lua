-- Gives up the claim of a destination's callback, which is due again later. A claim already lost is left alone.
--
-- ARGV    8 url   9 token   10 attempts so far   11 what came of the last one   12 due again in so many ms
-- answer  1 when it was still held, else 0
local to = destination(ARGV[8])
if not delivers(to, ARGV[9]) then return 0 end
local m = message_key(redis.call('HGET', delivery_key(to), 'message'))
if ARGV[10] ~= '0' and redis.call('EXISTS', m) == 1 then
  redis.call('HSET', m, 'callback_attempts', ARGV[10], 'callback_error', ARGV[11])
  redis.call('HSETNX', m, 'callback_since', now)
end
redis.call('HSET', delivery_key(to), 'owner', '', 'token', '')
redis.call('ZADD', OUTBOX, now + ARGV[12], to)
return 1
