-- Gives up the claim of a destination's callback, which is due again later. A claim already lost is left alone.
--
-- ARGV    1 base   2 queue   3 broker   4 url   5 token   6 attempts so far   7 what came of the last one
--         8 due again in so many ms
-- answer  1 when it was still held, else 0
local base, queue, broker, url, token, attempts, error, delay = unpack(ARGV)
-- with clock, keys, delivery

local to = destination(url)
if not delivers(to, token) then return 0 end
local m = message_key(redis.call('HGET', delivery_key(to), 'message'))
if attempts ~= '0' and redis.call('EXISTS', m) == 1 then
  redis.call('HSET', m, 'callback_attempts', attempts, 'callback_error', error)
  redis.call('HSETNX', m, 'callback_since', stamp)
end
redis.call('HSET', delivery_key(to), 'owner', '', 'token', '')
redis.call('ZADD', base .. 'outbox', now + delay, to)
return 1
