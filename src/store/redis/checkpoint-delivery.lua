-- Keeps how far the progress of a destination's claimed message was told.
--
-- ARGV    8 url   9 token   10 told   11 untold
-- answer  1, or 0 when the claim was lost
local to = destination(ARGV[8])
if not delivers(to, ARGV[9]) then return 0 end
local m = message_key(redis.call('HGET', delivery_key(to), 'message'))
if redis.call('EXISTS', m) == 1 then redis.call('HSET', m, 'callback_told', ARGV[10], 'callback_untold', ARGV[11]) end
return 1
