-- Claims the head of a queue: the first waiting message, or one whose claim ran out or is this broker's own from before.
--
-- ARGV    8 nonce of this call: with the same one again, the answer was lost and is given again
-- answer  {message, token, attempt, payload, last, ms it had to wait, events}, see `claimed`, or nil
local nonce = ARGV[8]

local held = redis.call('HMGET', CLAIM, 'message', 'owner', 'until', 'nonce', 'cancelled', 'unused')
if not held[1] then return claim_next(nonce, '') end
if held[4] == nonce then
  prolong()
  return claimed(0)
end
if held[2] ~= broker and tonumber(held[3]) > now then return false end
if redis.call('EXISTS', message_key(held[1])) == 0 then
  unclaim()
  return claim_next(nonce, '')
end
if held[5] then
  finish(held[1], 'cancelled', CANCELLED)
  unclaim()
  return claim_next(nonce, '')
end
local unused = held[6] == '1'
if only_told() then
  redis.call('HINCRBY', message_key(held[1]), 'attempts', -1)
  unused = true
end
return take(held[1], not unused and TAKEN_OVER, nonce, '')
