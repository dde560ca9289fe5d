-- with deduplication

-- What to answer when a message was accepted under one of these names before; nil when none was.
local function duplicate(names)
  for _, name in ipairs(names) do
    local first = redis.call('GET', deduplication_key(name))
    if first then
      local status, other = string.match(first, '^(%a*)|(.*)$')
      if status ~= '' then return { 'duplicate', other, status, 0 } end
      local place = redis.call('LPOS', WAITING, other)
      return { 'duplicate', other, place and 'queued' or 'processing', place and place + 1 or 0 }
    end
  end
end
