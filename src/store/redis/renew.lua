-- Prolongs a claim by the lease.
--
-- ARGV    1 base   2 queue   3 broker   4 lease   5 token
-- answer  0 when it was lost, 1 when it is still held, 2 when its message was cancelled meanwhile
local base, queue, broker, lease, token = unpack(ARGV)
-- with hold, prolong

if not holds(token) then return 0 end
prolong()
return redis.call('HEXISTS', CLAIM, 'cancelled') == 1 and 2 or 1
