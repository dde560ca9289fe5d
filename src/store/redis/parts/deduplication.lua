-- The length keeps queue and key apart, whatever characters they hold.
local function deduplication_key(name) return base .. 'd:' .. #queue .. ':' .. queue .. ':' .. name end
