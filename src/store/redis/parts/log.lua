-- with keys

-- Writes events (name, data, name, data...) behind event `last`; answers the id of the last one. In portions: Lua passes at
-- most some 8,000 arguments.
local function write_log(id, last, events, from)
  local i = from
  while i <= #events do
    local to = math.min(i + 1999, #events)
    last = last + (to - i + 1) / 2
    redis.call('XADD', log_key(id), last .. '-0', unpack(events, i, to))
    i = to + 1
  end
  return last
end
