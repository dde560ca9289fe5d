-- Takes a message out of the dead letters, and its callback that was given up; or, if that is asked for, the callback alone.
--
-- ARGV    8 message   9 '1': only the callback
-- answer  1; 0 when it is no dead letter; nil when this queue does not know the message. A repeat answers the same.
local id = ARGV[8]

local stored = redis.call('HMGET', message_key(id), 'queue', 'status', 'callback_status')
if stored[1] ~= queue then return false end
local failed, undelivered = stored[2] == 'failed' and ARGV[9] ~= '1', stored[3] == 'undelivered'
if not failed and not undelivered then return 0 end
if failed then redis.call('ZREM', base .. 'dead', id) end
if undelivered then redis.call('ZREM', base .. 'dead', CALLBACK .. id) end
notice(id, 'discarded')
return 1
