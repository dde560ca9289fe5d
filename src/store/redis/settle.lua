-- Ends the claimed message and, if asked, claims the next. A repeat ends nothing twice and finds the same next claim.
--
-- ARGV    1 base   2 queue   3 broker   4 token   5 message   6 id of the event before   7 status   8 code   9 error
--         10 retention   11 that of a failed message   12 how long a message may wait   13 lease of the next claim, or
--         '' to claim none   14... of each block: id of its last event, text; the terminal event is the last of all
-- answer  the next claim as `claimed` in parts/claimed.lua writes it, else 1 if messages wait or 0  {'lost'}  {'gap', last}
local base, queue, broker, token, id, before, status, code, error, retention, dead_retention, ttl, lease = unpack(ARGV, 1, 13)
-- with hold, append, ending, news

local held = holds(token, id)
if held then
  local m = redis.call('HMGET', message_key(id), 'last', 'keys', 'callback_url')
  local last = append(id, m[1], before, 14)
  if not last then return { 'gap', m[1] } end
  close(id, m[2], m[3], last, token, status, code, error)
  redis.call('DEL', CLAIM)
  publish(id, last, false, broker)
elseif redis.call('HGET', message_key(id), 'token') ~= token then
  return { 'lost' }
end

local waiting = redis.call('LLEN', WAITING)
local following = not held and redis.call('HMGET', CLAIM, 'owner', 'previous', 'message', 'token', 'cancelled')
if following and following[1] then
  -- What this very settling claimed, or what somebody claimed since.
  if following[1] ~= broker or following[2] ~= token then return math.min(waiting, 1) end
  -- It is for a claim to end it.
  if following[5] then return 1 end
  -- with prolong, claimed
  prolong()
  return claimed(following[3], tonumber(following[4]), claimable(following[3]), 0)
end
local claim = false
if waiting > 0 and lease ~= '' then
  -- with claiming
  claim = claim_next('', token)
elseif waiting > 0 then
  redis.call('ZADD', base .. 'due', stamp, queue)
else
  redis.call('ZREM', base .. 'due', queue)
end
-- One claim in the place of another.
if held and not claim then redis.call('HINCRBY', base .. 'counts', 'processing', '-1') end
if claim and not held then redis.call('HINCRBY', base .. 'counts', 'processing', '1') end
if claim then return claim end
return lease == '' and math.min(waiting, 1) or 0
