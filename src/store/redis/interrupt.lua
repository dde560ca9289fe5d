-- Cancels all that wait in a queue or are worked on, and puts a message there, once for each deduplication key. A repeat
-- answers as the first call did, and cancels nothing.
--
-- ARGV    1 base   2 queue   3 message   4 payload   5 deduplication ms   6 deduplication keys, as a JSON array
--         7 retention   8 that of a failed message   9... what else is to be known of it: field, value, field, value...
-- answer  its place  {'duplicate', message, status, place}  {'interrupting', place, owner and token of the claim that was cancelled}
local base, queue, id, payload, remember, keys, retention, dead_retention = unpack(ARGV, 1, 8)
-- with duplicate, cancelling, acceptance

local known = redis.call('HGET', base .. 'm:' .. id, 'position')
if known then return tonumber(known) end
local first = duplicate(cjson.decode(keys))
if first then return first end

cancel_waiting()
local owner, token = cancel_claimed()
store(1, 9)
local place = push(id)
return owner and { 'interrupting', place, owner, token } or place
