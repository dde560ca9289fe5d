-- Cancels a message: one that waits ends at once, one in work is left to who holds its claim.
--
-- ARGV    1 base   2 queue   3 retention   4 that of a failed message   5 message
-- answer  {'cancelled'}  {'cancelling', owner, token}  {'ended', status}, or nil when this queue does not know the message
local base, queue, retention, dead_retention, id = unpack(ARGV)
-- with cancelling, index

local stored = redis.call('HMGET', message_key(id), 'queue', 'status')
local status = stored[2]
if stored[1] ~= queue then return false end
if status == 'queued' then
  redis.call('LREM', WAITING, 1, id)
  redis.call('HINCRBY', base .. 'counts', 'waiting', -1)
  finish(id, 'cancelled', CANCELLED)
  reindex()
  return { 'cancelled' }
end
if status ~= 'processing' then return { 'ended', status } end
local owner, token = cancel_claimed()
if owner then return { 'cancelling', owner, token } end
return { 'cancelled' }
