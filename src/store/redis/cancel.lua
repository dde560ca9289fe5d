-- Cancels a message: one that waits ends at once, one in work is left to who holds its claim.
--
-- ARGV    8 message
-- answer  {'cancelled'}  {'cancelling', owner, token}  {'ended', status}, or nil when this queue does not know the message
local id = ARGV[8]

local stored = redis.call('HMGET', message_key(id), 'queue', 'status')
local status = stored[2]
if stored[1] ~= queue then return false end
if status == 'queued' then
  redis.call('LREM', WAITING, 1, id)
  redis.call('HINCRBY', COUNTS, 'waiting', -1)
  finish(id, 'cancelled', CANCELLED)
  reindex()
  return { 'cancelled' }
end
if status ~= 'processing' then return { 'ended', status } end
local held = redis.call('HMGET', CLAIM, 'owner', 'token', 'until')
if held[1] and held[1] ~= '' and tonumber(held[3]) > now then
  redis.call('HSET', CLAIM, 'cancelled', 1)
  return { 'cancelling', held[1], tonumber(held[2]) }
end
-- Its claim ran out or was given up: the next claim would end it, and there may be none for a while.
finish(id, 'cancelled', CANCELLED)
if held[1] then unclaim() end
reindex()
if redis.call('LLEN', WAITING) > 0 then redis.call('ZADD', DUE, now, queue) end
return { 'cancelled' }
