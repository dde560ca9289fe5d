-- Puts a message at the end of its queue, once for each deduplication key. A repeat answers as the first call did.
--
-- ARGV    5 message   6 payload   7 most that may wait   8 deduplication ms   9 deduplication keys, as a JSON array
-- answer  {'queued', position}  {'duplicate', message, status, position}  {'full', length}
local id, payload, most, remember, keys = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8], cjson.decode(ARGV[9])

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
if length >= most then return { 'full', length } end

redis.call('HSET', message_key(id), 'queue', queue, 'status', 'queued', 'position', length + 1, 'payload', payload,
  'queued_at', now, 'attempts', 0, 'last', 1, 'keys', ARGV[9])
redis.call('RPUSH', WAITING, id)
for _, key in ipairs(keys) do redis.call('SET', deduplication_key(key), '|' .. id, 'PX', remember) end
if length == 0 then redis.call('ZADD', HEADS, now, queue) end
-- A queue that is being worked on keeps the end of its lease.
redis.call('ZADD', DUE, 'NX', now, queue)
redis.call('HINCRBY', COUNTS, 'waiting', 1)
return { 'queued', length + 1 }
