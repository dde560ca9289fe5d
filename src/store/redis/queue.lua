-- The waiting messages of a queue and the one being worked on.
--
-- KEYS    1 w:<queue>   2 q:<queue>
-- ARGV    1 base of the shard's keys
-- answer  {now, {message, attempt, queued_at} or nil, {message, queued_at, message, queued_at...}}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function queued_at(id)
  return tonumber(redis.call('HGET', ARGV[1] .. 'm:' .. id, 'queued_at') or now)
end

local waiting = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  waiting[#waiting + 1] = id
  waiting[#waiting + 1] = queued_at(id)
end
local id = redis.call('HGET', KEYS[2], 'message')
local processing = id and { id, tonumber(redis.call('HGET', ARGV[1] .. 'm:' .. id, 'attempts') or 0), queued_at(id) }
return { now, processing, waiting }
