-- Claims the head of a queue: the first waiting message, or one whose claim ran out or is this broker's own from before.
--
-- ARGV    1 base   2 queue   3 broker   4 lease   5 how long a message may wait   6 retention   7 that of a failed message
--         8 nonce of this call: with the same one again, the answer was lost and is given again
-- answer  the claim as `claimed` in parts/claimed.lua writes it, or nil
local base, queue, broker, lease, ttl, retention, dead_retention, nonce = unpack(ARGV)
-- with claiming

local id = redis.call('HGET', CLAIM, 'message')
if not id then
  local claim = claim_next(nonce, '')
  if claim then redis.call('HINCRBY', base .. 'counts', 'processing', '1') end
  return claim
end

-- with prolong, finish, told
-- What was cancelled before its answer was here is not given again: this broker may not have heard of that.
local held = redis.call('HMGET', CLAIM, 'owner', 'until', 'nonce', 'token', 'cancelled', 'unused')
if held[3] == nonce and not held[5] then
  prolong()
  return claimed(id, tonumber(held[4]), claimable(id), 0)
end
if held[1] ~= broker and tonumber(held[2]) > now then return false end
local known = redis.call('EXISTS', message_key(id)) == 1
if held[5] or not known then
  if known then finish(id, 'cancelled', CANCELLED) end
  redis.call('DEL', CLAIM)
  local claim = claim_next(nonce, '')
  if not claim then redis.call('HINCRBY', base .. 'counts', 'processing', '-1') end
  return claim
end
local unused = held[6] == '1'
if only_told() then
  redis.call('HINCRBY', message_key(id), 'attempts', '-1')
  unused = true
end
redis.call('HDEL', CLAIM, 'unused', 'told')
return take(id, claimable(id), not unused and TAKEN_OVER, nonce, '')
