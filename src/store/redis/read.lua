-- A message's log after an event. The first event (`queued`) is not stored: `accepted` tells its position, `first` its id.
--
-- KEYS    1 m:<id>   2 e:<id>   3 w:<queue>
-- ARGV    1 queue   2 message   3 the event after which to begin   4 at most so many events
--         5 no more once there are so many bytes
-- answer  {status, position now, accepted position, first, last, {name, data...}}, or nil when this queue does not know the message
local m = redis.call('HMGET', KEYS[1], 'queue', 'status', 'position', 'last', 'first')
if m[1] ~= ARGV[1] then return false end

local first = tonumber(m[5] or 1)
local after, limit, most = math.max(tonumber(ARGV[3]), first), tonumber(ARGV[4]), tonumber(ARGV[5])
if tonumber(ARGV[3]) < first then limit = limit - 1 end
local events, from, bytes, count = {}, after + 1, 0, 1
-- An entry holds at least one event, most of them several. One is fetched first, then as many more of its kind as there
-- is room for: what is fetched is copied, and nobody else is served meanwhile.
while #events < 2 * limit and bytes < most do
  local entries, fetched = redis.call('XRANGE', KEYS[2], string.format('%d-0', from), '+', 'COUNT', count), 0
  for _, entry in ipairs(entries) do
    local finish, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
    local begin = finish - #fields / 2 + 1
    for i = 2 * (math.max(begin, after + 1) - begin) + 1, #fields, 2 do
      if #events < 2 * limit and bytes < most then
        events[#events + 1] = fields[i]
        events[#events + 1] = fields[i + 1]
        bytes = bytes + #fields[i + 1]
      end
    end
    for i = 1, #fields do fetched = fetched + #fields[i] end
    from = finish + 1
  end
  if #entries < count then break end
  count = math.max(1, math.min(64, math.floor((most - bytes) * count / (fetched + 1))))
end

local place = m[2] == 'queued' and redis.call('LPOS', KEYS[3], ARGV[2])
return { m[2], place and place + 1 or 0, tonumber(m[3]), first, tonumber(m[4]), events }
