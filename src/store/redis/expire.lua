-- Ends the messages at the head of a queue that have waited for too long.
--
-- ARGV    8 at most so many
-- answer  how many
local count = expire_waiting(tonumber(ARGV[8]))
reindex()
return count
