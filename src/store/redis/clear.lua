-- Cancels all messages that wait in a queue.
--
-- answer  how many
local count = cancel_waiting()
reindex()
return count
