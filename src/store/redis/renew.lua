-- Prolongs a claim by the lease.
--
-- ARGV    8 token
-- answer  0 when it was lost, 1 when it is still held, 2 when its message was cancelled meanwhile
if not holds(ARGV[8]) then return 0 end
prolong()
return redis.call('HEXISTS', CLAIM, 'cancelled') == 1 and 2 or 1
