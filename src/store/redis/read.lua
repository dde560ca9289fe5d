-- A message's log after an event. The first event (`queued`) is not stored: `accepted` tells its position, `first` its id.
--
-- KEYS    1 m:<id>   2 e:<id>   3 w:<queue>
-- ARGV    1 queue   2 message   3 the event after which to begin   4 at most so many events
--         5 no more once there are so many bytes
-- answer  {status, position now, accepted position, first, last, {id of its last event, text of each block...}}, the blocks that
--         hold these events; or nil when this queue does not know the message
local m = redis.call('HMGET', KEYS[1], 'queue', 'status', 'position', 'last', 'first')
if m[1] ~= ARGV[1] then return false end

local asked, limit, most, first = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(m[5] or 1)
local after = math.max(asked, first)
local from, finish = after + 1, math.min(after + limit - (asked < first and 1 or 0), tonumber(m[4]))
local blocks, bytes, count = {}, 0, 1
-- A block holds one event or more. One is fetched first, then as many more of its kind as there is room for: what is fetched
-- is copied, and nobody else is served meanwhile.
while from <= finish and bytes < most do
  local entries = redis.call('XRANGE', KEYS[2], string.format('%d-0', from), '+', 'COUNT', count)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    if from <= finish and bytes < most then
      local last, text = tonumber(string.match(entry[1], '^%d+')), entry[2][2]
      blocks[#blocks + 1] = last
      blocks[#blocks + 1] = text
      bytes = bytes + #text
      from = last + 1
    end
  end
  local room = math.min((most - bytes) / bytes, (finish - from + 1) / (from - after - 1))
  count = math.max(1, math.min(64, math.ceil(room * #blocks / 2)))
end

local place = m[2] == 'queued' and redis.call('LPOS', KEYS[3], ARGV[2])
return { m[2], place and place + 1 or 0, tonumber(m[3]), first, tonumber(m[4]), blocks }
