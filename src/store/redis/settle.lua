-- Ends the claimed message and, if asked, claims the next. A repeat ends nothing twice and finds the same next claim.
--
-- ARGV    5 token   6 message   7 id of the event before   8 status   9 code   10 error
--         11 retention ms   12 '1' to claim the next   13... name, data of each event, the terminal one last
-- answer  {'ok', last, 1 if messages waited, next claim or nil}  {'lost'}  {'gap', last}
local token, id, last, status = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]
local retention, proceed = ARGV[11], ARGV[12] == '1'
local finish = last + (#ARGV - 12) / 2
local m = message_key(id)

if redis.call('HGET', m, 'token') ~= token then
  if not holds(token) then return { 'lost' } end
  if not log(id, last, 13) then return gap(id) end
  redis.call('HSET', m, 'status', status, 'token', token, 'ended_at', now, 'code', ARGV[9], 'error', ARGV[10])
  redis.call('HDEL', m, 'payload')
  redis.call('PEXPIRE', m, retention)
  redis.call('PEXPIRE', log_key(id), retention)
  for _, key in ipairs(cjson.decode(redis.call('HGET', m, 'keys') or '[]')) do
    -- The key may have run out and be another message's by now.
    local d = deduplication_key(key)
    if redis.call('GET', d) == '|' .. id then redis.call('SET', d, status .. '|' .. id, 'KEEPTTL') end
  end
  redis.call('DEL', CLAIM)
  redis.call('HINCRBY', COUNTS, 'processing', -1)
  publish(id, finish, false)
end

local waiting = redis.call('LLEN', WAITING) > 0
local held = redis.call('HMGET', CLAIM, 'owner', 'previous')
local following = false
if held[1] then
  -- Only in a repeat: what this very settling claimed, or what somebody claimed since.
  if held[1] == broker and held[2] == token then
    prolong()
    following = claimed()
    waiting = true
  end
elseif not waiting then
  redis.call('ZREM', DUE, queue)
elseif proceed then
  following = claim_next('', token)
else
  redis.call('ZADD', DUE, now, queue)
end
return { 'ok', finish, waiting and 1 or 0, following }
