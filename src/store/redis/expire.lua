-- Ends the messages at the head of a queue that have waited for too long.
--
-- ARGV    1 base   2 queue   3 retention   4 that of a failed message   5 how long a message may wait   6 at most so many
-- answer  how many
local base, queue, retention, dead_retention, ttl, most = unpack(ARGV)
-- with expiry, index

local count = expire_waiting(tonumber(most))
reindex()
return count
