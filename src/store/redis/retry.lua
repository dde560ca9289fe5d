-- Records that the claimed message is to be tried again. A repeat changes nothing.
--
-- ARGV    5 token   6 message   7 id of the event before   8 the next attempt   9... name, data of the event that says so
-- answer  {'ok', payload, queued_at}  {'lost'}  {'gap', last}
local token, id, last, attempt = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]

if not holds(token) then return { 'lost' } end
if not log(id, last, 9) then return gap(id) end
redis.call('HSET', message_key(id), 'attempts', attempt)
publish(id, last + (#ARGV - 8) / 2, false)
local m = redis.call('HMGET', message_key(id), 'payload', 'queued_at')
return { 'ok', m[1], tonumber(m[2]) }
