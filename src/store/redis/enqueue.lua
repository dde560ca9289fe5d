-- Puts a message at the end of its queue, once for each deduplication key. A repeat answers as the first call did.
--
-- ARGV    1 base   2 queue   3 message   4 payload   5 deduplication ms   6 deduplication keys, as a JSON array
--         7 most that may wait   8 '1': none, if others wait or are worked on
--         9... what else is to be known of it: field, value, field, value...
-- answer  its place  {'duplicate', message, status, place}  {'full', length}  {'busy'}
local base, queue, id, payload, remember, keys, most, reject = unpack(ARGV, 1, 8)

local known = redis.call('HGET', base .. 'm:' .. id, 'position')
if known then return tonumber(known) end
if keys ~= '[]' then
  -- with duplicate
  local first = duplicate(cjson.decode(keys))
  if first then return first end
end

local length = redis.call('LLEN', WAITING)
if reject == '1' and (length > 0 or redis.call('EXISTS', CLAIM) == 1) then return { 'busy' } end
if length >= tonumber(most) then return { 'full', length } end
-- with acceptance
return accept(length, 9)
