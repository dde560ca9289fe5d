-- Records that the claimed message is to be tried again. A repeat changes nothing.
--
-- ARGV    8 token   9 message   10 id of the event before   11 the next attempt   12... name, data of the event that says so
-- answer  {'ok', payload, ms it had to wait, trace}  {'lost'}  {'gap', last}
local token, id, last, attempt = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11]

if not holds(token, id) then return { 'lost' } end
if not log(id, last, 12) then return gap(id) end
local told = last + (#ARGV - 11) / 2
redis.call('HSET', message_key(id), 'attempts', attempt)
redis.call('HSET', CLAIM, 'told', told)
publish(id, told, false, broker)
local m = redis.call('HMGET', message_key(id), 'payload', 'queued_at', 'started_at', 'trace')
return { 'ok', m[1], m[3] - m[2], m[4] }
