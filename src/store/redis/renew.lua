-- Prolongs a claim by the lease.
--
-- ARGV    5 token
-- answer  1 when it was still held, else 0
if not holds(ARGV[5]) then return 0 end
redis.call('HSET', CLAIM, 'until', now + lease)
redis.call('ZADD', DUE, now + lease, queue)
return 1
