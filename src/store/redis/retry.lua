-- Records that the claimed message is to be tried again. A repeat changes nothing.
--
-- ARGV    1 base   2 queue   3 broker   4 token   5 message   6 id of the event before
--         7 the next attempt   8 id of the event that says so   9 its text
-- answer  the claim as it is now, as `claimed` in parts/claimed.lua writes it  {'lost'}  {'gap', last}
local base, queue, broker, token, id, before, attempt = unpack(ARGV, 1, 7)
-- with hold, append, news, claimed

if not holds(token, id) then return { 'lost' } end
local m = claimable(id)
local last = append(id, m[2], before, 8)
if not last then return { 'gap', m[2] } end
redis.call('HSET', message_key(id), 'last', last, 'attempts', attempt)
redis.call('HSET', CLAIM, 'told', last)
publish(id, last, false, broker)
m[1], m[2] = attempt, last
return claimed(id, token, m, 1)
