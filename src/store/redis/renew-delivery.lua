-- Prolongs the claim of a destination's callback.
--
-- ARGV    1 base   2 queue   3 broker   4 url   5 token   6 lease in ms
-- answer  1, or 0 when it was lost
local base, queue, broker, url, token, lease = unpack(ARGV)
-- with clock, delivery

local to = destination(url)
if not delivers(to, token) then return 0 end
redis.call('HSET', delivery_key(to), 'until', now + lease)
redis.call('ZADD', base .. 'outbox', now + lease, to)
return 1
