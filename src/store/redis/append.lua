-- Adds events to the log of a claimed message. A repeat changes nothing.
--
-- ARGV    5 token   6 message   7 id of the event before   8... name, data of each event
-- answer  {'ok'}  {'lost'}  {'gap', last}
local token, id, last = ARGV[5], ARGV[6], tonumber(ARGV[7])

if not holds(token) then return { 'lost' } end
if not log(id, last, 8) then return gap(id) end
publish(id, last + (#ARGV - 7) / 2, false)
return { 'ok' }
