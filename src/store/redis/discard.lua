-- Takes a message out of the dead letters, and its callback that was given up; or, if that is asked for, the callback alone.
--
-- ARGV    1 base   2 queue   3 message   4 '1': only the callback
-- answer  1; 0 when it is no dead letter; nil when this queue does not know the message. A repeat answers the same.
local base, queue, id, only_callback = unpack(ARGV)
-- with keys, notice, destination

local stored = redis.call('HMGET', message_key(id), 'queue', 'status', 'callback_status')
if stored[1] ~= queue then return false end
local failed, undelivered = stored[2] == 'failed' and only_callback ~= '1', stored[3] == 'undelivered'
if not failed and not undelivered then return 0 end
if failed then redis.call('ZREM', base .. 'dead', id) end
if undelivered then redis.call('ZREM', base .. 'dead', CALLBACK .. id) end
notice(id, 'discarded')
return 1
