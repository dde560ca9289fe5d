-- with log

-- Writes the blocks that are ARGV[from...] (the id of its last event, and its text) behind event `before`, unless that has
-- happened already; answers the id of the last event. Nil when the log ends elsewhere: `stored`.
local function append(id, stored, before, from)
  local last = ARGV[from] and ARGV[#ARGV - 1] or before
  if stored ~= last then
    if stored ~= before then return end
    for i = from, #ARGV, 2 do write_log(id, ARGV[i], ARGV[i + 1]) end
  end
  return tonumber(last)
end
