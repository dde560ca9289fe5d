-- Prolongs a claim by the lease.
--
-- ARGV    5 token
-- answer  1 when it was still held, else 0
if not holds(ARGV[5]) then return 0 end
prolong()
return 1
