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
local owner, token = cancel_claimed()
if owner then return { 'cancelling', owner, token } end
return { 'cancelled' }
