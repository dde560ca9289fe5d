-- A message's log after an event. The first event (`queued`) is not stored: `accepted` tells its position.
--
-- KEYS    1 m:<id>   2 e:<id>   3 w:<queue>
-- ARGV    1 queue   2 message   3 the event after which to begin, 1 or more   4 at most so many events
-- answer  {status, position now, accepted position, last, {name, data...}}, or nil when this queue does not know the message
local m = redis.call('HMGET', KEYS[1], 'queue', 'status', 'position', 'last')
if m[1] ~= ARGV[1] then return false end

local after, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
local events, from = {}, after + 1
-- An entry holds at least one event, most of them several: fetched a few at a time until there are enough.
while #events < 2 * limit do
  local entries = redis.call('XRANGE', KEYS[2], string.format('%d-0', from), '+', 'COUNT', 32)
  for _, entry in ipairs(entries) do
    local finish, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
    local first = finish - #fields / 2 + 1
    for i = 2 * (math.max(first, after + 1) - first) + 1, #fields do
      if #events < 2 * limit then events[#events + 1] = fields[i] end
    end
    from = finish + 1
  end
  if #entries < 32 then break end
end

local place = m[2] == 'queued' and redis.call('LPOS', KEYS[3], ARGV[2])
return { m[2], place and place + 1 or 0, tonumber(m[3]), tonumber(m[4]), events }
