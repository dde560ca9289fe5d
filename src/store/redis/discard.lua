-- Takes a message out of the dead letters, and its callback that was given up.
--
-- ARGV    8 message
-- answer  1; 0 when it is no dead letter; nil when this queue does not know the message. A repeat answers the same.
local id = ARGV[8]

local stored = redis.call('HMGET', message_key(id), 'queue', 'status', 'callback_status')
if stored[1] ~= queue then return false end
if stored[2] ~= 'failed' and stored[3] ~= 'undelivered' then return 0 end
redis.call('ZREM', base .. 'dead', id, CALLBACK .. id)
notice(id, 'discarded')
return 1
