-- Prolongs the claim of a destination's callback.
--
-- ARGV    8 url   9 token   10 lease in ms
-- answer  1, or 0 when it was lost
local to = destination(ARGV[8])
if not delivers(to, ARGV[9]) then return 0 end
redis.call('HSET', delivery_key(to), 'until', now + ARGV[10])
redis.call('ZADD', OUTBOX, now + ARGV[10], to)
return 1
