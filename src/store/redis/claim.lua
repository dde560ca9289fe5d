-- Claims the head of a queue: the first waiting message, or one whose claim ran out or is this broker's own from before.
--
-- ARGV    5 nonce of this call: with the same one again, the answer was lost and is given again
--         6 the reason told when a claim is taken over
-- answer  {message, token, attempt, payload, last, queued_at}, or nil
local nonce, reason = ARGV[5], ARGV[6]

local held = redis.call('HMGET', CLAIM, 'message', 'owner', 'until', 'nonce')
if not held[1] then return claim_next(nonce, '') end
if held[4] == nonce then
  prolong()
  return claimed()
end
if held[2] ~= broker and tonumber(held[3]) > now then return false end
if redis.call('EXISTS', message_key(held[1])) == 0 then
  redis.call('DEL', CLAIM)
  redis.call('HINCRBY', COUNTS, 'processing', -1)
  return claim_next(nonce, '')
end
return take(held[1], reason, nonce, '')
