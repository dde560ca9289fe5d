-- with waiting

-- Stores a message, with `ARGV[from...]` (field, value...), behind so many others; answers its place.
local function accept(length, from)
  redis.call('HSET', base .. 'm:' .. id, 'queue', queue, 'status', 'queued', 'position', length + 1, 'payload', payload,
    'queued_at', stamp, 'attempts', '0', 'last', '1', 'keys', keys, unpack(ARGV, from))
  if keys ~= '[]' then
    -- with deduplication
    for _, name in ipairs(cjson.decode(keys)) do redis.call('SET', deduplication_key(name), '|' .. id, 'PX', remember) end
  end
  return push(id)
end
