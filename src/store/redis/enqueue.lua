-- Puts a message at the end of its queue, once for each deduplication key. A repeat answers as the first call did.
--
-- ARGV    8 message   9 payload   10 most that may wait   11 deduplication ms   12 deduplication keys, as a JSON array
--         13 if others wait or are worked on: enqueue, reject or interrupt
--         14... what else is to be known of it: field, value, field, value...
-- answer  {'queued', position, owner and token of the claim that was cancelled by it, if one was}
--         {'duplicate', message, status, position}  {'full', length}  {'busy'}
local id, payload, most, remember, keys = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11], cjson.decode(ARGV[12])
local if_busy = ARGV[13]

local known = redis.call('HGET', message_key(id), 'position')
if known then return { 'queued', tonumber(known) } end

for _, key in ipairs(keys) do
  local first = redis.call('GET', deduplication_key(key))
  if first then
    local status, other = string.match(first, '^(%a*)|(.*)$')
    if status ~= '' then return { 'duplicate', other, status, 0 } end
    local place = redis.call('LPOS', WAITING, other)
    return { 'duplicate', other, place and 'queued' or 'processing', place and place + 1 or 0 }
  end
end

local length = redis.call('LLEN', WAITING)
local cancelled = {}
if if_busy == 'reject' and (length > 0 or redis.call('EXISTS', CLAIM) == 1) then return { 'busy' } end
if if_busy == 'interrupt' then
  cancel_waiting()
  length = 0
  cancelled = { cancel_claimed() }
elseif length >= most then
  return { 'full', length }
end

redis.call('HSET', message_key(id), 'queue', queue, 'status', 'queued', 'position', length + 1, 'payload', payload,
  'queued_at', now, 'attempts', 0, 'last', 1, 'keys', ARGV[12], unpack(ARGV, 14))
redis.call('HINCRBY', COUNTS, 'accepted', 1)
for _, key in ipairs(keys) do redis.call('SET', deduplication_key(key), '|' .. id, 'PX', remember) end
return { 'queued', push(id), unpack(cancelled) }
