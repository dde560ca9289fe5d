-- Adds events to the log of a claimed message. A repeat changes nothing.
--
-- ARGV    1 base   2 queue   3 broker   4 token   5 message   6 id of the event before
--         7... of each block: id of its last event, text
-- answer  1  {'lost'}  {'gap', last}
local base, queue, broker, token, id, before = unpack(ARGV, 1, 6)
-- with hold, append, news

if not holds(token, id) then return { 'lost' } end
local stored = redis.call('HGET', message_key(id), 'last')
local last = append(id, stored, before, 7)
if not last then return { 'gap', stored } end
redis.call('HSET', message_key(id), 'last', last)
publish(id, last, false, broker)
return 1
