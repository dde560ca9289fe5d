-- with keys

-- Writes a block of events (`block.ts`), of which the last has the id `last`.
local function write_log(id, last, text)
  redis.call('XADD', log_key(id), last .. '-0', 'events', text)
end
