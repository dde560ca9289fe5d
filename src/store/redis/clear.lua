-- Cancels all messages that wait in a queue.
--
-- ARGV    1 base   2 queue   3 retention   4 that of a failed message
-- answer  how many
local base, queue, retention, dead_retention = unpack(ARGV)
-- with cancelling, index

local count = cancel_waiting()
reindex()
return count
