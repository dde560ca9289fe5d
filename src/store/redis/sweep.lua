-- What one shard has to do, and its counts.
--
-- KEYS    1 due   2 heads   3 counts   4 outbox   5 dead   6 marker
-- ARGV    1 at most so many due queues   2 how long a message may wait, in ms   3 at most so many queues where one is overdue
--         4 at most so many destinations   5 for how long dead letters are kept, in ms
--         6 '1': it fails where nothing can be written
-- answer  {now, {queue, due...}, queues with work, waiting, processing, queued_at of the oldest waiting message or 0,
--          {queue whose first message has waited for too long...}, {queue, url of a destination to which a callback is due...},
--          callbacks in the outbox, dead letters, {messages accepted, completed, failed, cancelled, expired ever},
--          the shard's master as `master.lua` tells it}
if ARGV[6] == '1' then redis.call('SET', KEYS[6], '') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local counts = redis.call('HMGET', KEYS[3], 'waiting', 'processing', 'callbacks')
local totals = redis.call('HMGET', KEYS[3], 'accepted', 'completed', 'failed', 'cancelled', 'expired')
for i = 1, #totals do totals[i] = tonumber(totals[i] or 0) end
local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local overdue = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2], 'LIMIT', 0, ARGV[3])
local destinations = {}
for _, to in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, ARGV[4])) do
  local length = string.match(to, '^%d+')
  destinations[#destinations + 1] = string.sub(to, #length + 2, #length + 1 + length)
  destinations[#destinations + 1] = string.sub(to, #length + 3 + length)
end
return { now, due, redis.call('ZCARD', KEYS[1]), tonumber(counts[1] or 0), tonumber(counts[2] or 0),
  tonumber(oldest[2] or 0), overdue, destinations, tonumber(counts[3] or 0),
  redis.call('ZCOUNT', KEYS[5], '(' .. now - ARGV[5], '+inf'), totals, master() }
