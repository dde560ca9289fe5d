-- Gives up a claim unfinished: the message is due again. A claim already lost is left alone.
--
-- ARGV    1 base   2 queue   3 broker   4 token   5 '1' when the worker call of this attempt was made, else the attempt is not
--         counted   6 due again in so many ms
-- answer  1 when it was still held, else 0
local base, queue, broker, token, was_called, delay = unpack(ARGV)
-- with clock, keys, hold, told

if not holds(token) then return 0 end
local called, due = was_called == '1' and not only_told(), now + delay
-- A cancelled message is not kept waiting for its end.
if redis.call('HEXISTS', CLAIM, 'cancelled') == 1 then due = now end
if not called then redis.call('HINCRBY', message_key(redis.call('HGET', CLAIM, 'message')), 'attempts', -1) end
-- Without a token nothing can be written under it any more; without the others a repeat that comes late finds nothing.
redis.call('HSET', CLAIM, 'until', due, 'owner', '', 'token', '', 'nonce', '', 'previous', '', 'told', '', 'unused', called and '' or 1)
redis.call('ZADD', base .. 'due', due, queue)
return 1
