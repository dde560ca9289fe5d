-- with log

-- Writes ARGV[from...] behind event `before`, unless that has happened already; answers the id of the last one. Nil when the
-- log ends elsewhere: `stored`.
local function append(id, stored, before, from)
  local last = before + (#ARGV - from + 1) / 2
  if tonumber(stored) == last then return last end
  if stored == before then return write_log(id, before, ARGV, from) end
end
