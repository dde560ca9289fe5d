-- The queues of one shard whose first waiting message waits longest, those first.
--
-- KEYS    1 heads
-- ARGV    1 base of the shard's keys   2 at most so many
-- answer  {queue, how long in ms, how many wait, queue...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local heads = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1, 'WITHSCORES')
local found = {}
for i = 1, #heads, 2 do
  found[#found + 1] = heads[i]
  found[#found + 1] = math.max(0, now - heads[i + 1])
  found[#found + 1] = redis.call('LLEN', ARGV[1] .. 'w:' .. heads[i])
end
return found
