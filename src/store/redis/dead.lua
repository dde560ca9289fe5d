-- Where the dead letters of one shard are, newest first: messages that failed, and callbacks that were given up.
--
-- KEYS    1 dead
-- ARGV    1 at most so many, and those that ended in the same millisecond as the last   2 for how long they are kept, in ms
--         3 ended_at and 4 message of the one after which to begin, '+inf' and '' for the newest
-- answer  {member of `dead`, ended_at, member...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local most, page_length = tonumber(ARGV[1]), ARGV[1] + 1
local found, offset, last = {}, 0, false
repeat
  local page = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[3], '(' .. now - ARGV[2], 'WITHSCORES', 'LIMIT', offset, page_length)
  for i = 1, #page, 2 do
    local id, ended_at = string.gsub(page[i], '^callback:', ''), page[i + 1]
    -- What ended in the same millisecond is ordered by its message.
    if ended_at ~= ARGV[3] or id < ARGV[4] then
      if #found >= 2 * most and ended_at ~= last then return found end
      found[#found + 1], found[#found + 2] = page[i], ended_at
      last = ended_at
    end
  end
  offset = offset + page_length
until #page < 2 * page_length
return found
