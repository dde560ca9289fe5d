-- with waiting

-- Stores a message, with `ARGV[from...]` (field, value...), for its place in the queue.
local function store(place, from)
  redis.call('HSET', base .. 'm:' .. id, 'queue', queue, 'status', 'queued', 'position', place, 'payload', payload,
    'queued_at', stamp, 'attempts', '0', 'last', '1', 'keys', keys, unpack(ARGV, from))
  if keys ~= '[]' then
    -- with deduplication
    for _, name in ipairs(cjson.decode(keys)) do redis.call('SET', deduplication_key(name), '|' .. id, 'PX', remember) end
  end
end
