-- Gives up a claim unfinished: the message is due again at once. A claim already lost is left alone.
--
-- ARGV    8 token
-- answer  1 when it was still held, else 0
if not holds(ARGV[8]) then return 0 end
-- Without a token nothing can be written under it any more; without the others a repeat that comes late finds nothing.
redis.call('HSET', CLAIM, 'until', 0, 'token', '', 'nonce', '', 'previous', '')
redis.call('ZADD', DUE, now, queue)
return 1
