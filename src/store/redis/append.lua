-- Adds events to the log of a claimed message. A repeat changes nothing.
--
-- ARGV    8 token   9 message   10 id of the event before   11... name, data of each event
-- answer  {'ok'}  {'lost'}  {'gap', last}
local token, id, last = ARGV[8], ARGV[9], tonumber(ARGV[10])

if not holds(token, id) then return { 'lost' } end
if not log(id, last, 11) then return gap(id) end
publish(id, last + (#ARGV - 10) / 2, false, broker)
return { 'ok' }
