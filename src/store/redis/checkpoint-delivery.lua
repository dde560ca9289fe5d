-- Keeps how far the progress of a destination's claimed message was told.
--
-- ARGV    1 base   2 queue   3 broker   4 url   5 token   6 told   7 untold
-- answer  1, or 0 when the claim was lost
local base, queue, broker, url, token, told, untold = unpack(ARGV)
-- with keys, delivery

local to = destination(url)
if not delivers(to, token) then return 0 end
local m = message_key(redis.call('HGET', delivery_key(to), 'message'))
if redis.call('EXISTS', m) == 1 then redis.call('HSET', m, 'callback_told', told, 'callback_untold', untold) end
return 1
