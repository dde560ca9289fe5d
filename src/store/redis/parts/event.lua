-- The text of an event whose data is one line, as in a block.
local function event(name, data)
  return 'event: ' .. name .. '\ndata: ' .. data .. '\n\n'
end
