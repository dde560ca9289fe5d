-- Ends the claimed message and, if asked, claims the next. A repeat ends nothing twice and finds the same next claim.
--
-- ARGV    8 token   9 message   10 id of the event before   11 status   12 code   13 error   14 '1' to claim the next
--         15... name, data of each event, the terminal one last
-- answer  {'ok', last, 1 if messages waited, next claim or nil}  {'lost'}  {'gap', last}
local token, id, last, status, proceed = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11], ARGV[14] == '1'
local finished = last + (#ARGV - 14) / 2

if redis.call('HGET', message_key(id), 'token') ~= token then
  if not holds(token, id) then return { 'lost' } end
  if not log(id, last, 15) then return gap(id) end
  close(id, token, status, ARGV[12], ARGV[13])
  unclaim()
  publish(id, finished, false, broker)
end

local waiting = redis.call('LLEN', WAITING) > 0
local held = redis.call('HMGET', CLAIM, 'owner', 'previous')
local following = false
if held[1] then
  -- Only in a repeat: what this very settling claimed, or what somebody claimed since.
  if held[1] == broker and held[2] == token then
    prolong()
    following = claimed(0)
    waiting = true
  end
elseif not waiting then
  redis.call('ZREM', DUE, queue)
elseif proceed then
  following = claim_next('', token)
else
  redis.call('ZADD', DUE, now, queue)
end
return { 'ok', finished, waiting and 1 or 0, following }
