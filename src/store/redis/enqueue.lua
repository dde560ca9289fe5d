-- Puts a message at the end of its queue, once for each deduplication key. A repeat answers as the first call did.
--
-- ARGV    1 base   2 queue   3 message   4 payload   5 deduplication ms   6 deduplication keys, as a JSON array
--         7 most that may wait   8 '1': none, if others wait or are worked on
--         9 broker, 10 lease and 11 nonce of the claim that a message gets at once which is alone in its queue; lease '': it gets none
--         12... what else is to be known of it: 'trace', value, perhaps 'callback_url', value, field, value...
-- answer  its place  {'claimed', the claim as `claimed` in parts/claimed.lua writes it, without the payload}
--         {'duplicate', message, status, place}  {'full', length}  {'busy'}
local base, queue, id, payload, remember, keys, most, reject, broker, lease, nonce = unpack(ARGV, 1, 11)

local known = redis.call('HGET', base .. 'm:' .. id, 'position')
if known then return tonumber(known) end
if keys ~= '[]' then
  -- with duplicate
  local first = duplicate(cjson.decode(keys))
  if first then return first end
end

local length = redis.call('LLEN', WAITING)
local alone = length == 0 and (reject == '1' or lease ~= '') and redis.call('EXISTS', CLAIM) == 0
if reject == '1' and not alone then return { 'busy' } end
if length >= tonumber(most) then return { 'full', length } end
-- with acceptance
store(length + 1, 12)
if not alone or lease == '' then return push(id) end
-- with claiming
redis.call('HINCRBY', base .. 'counts', 'accepted', '1')
redis.call('HINCRBY', base .. 'counts', 'processing', '1')
return { 'claimed', take(id, { '0', '1', stamp, '', ARGV[13], ARGV[15] or false, false }, false, nonce, '') }
