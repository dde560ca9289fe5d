-- How a message stands.
--
-- KEYS    1 m:<id>   2 w:<queue>
-- ARGV    1 queue   2 message
-- answer  {status, place, attempts, queued_at, last, started_at, ended_at, code, error, callback_status, callback_attempts,
--         callback_error}, nil where there is nothing to say; or nil when this queue does not know the message
local m = redis.call('HMGET', KEYS[1], 'queue', 'status', 'attempts', 'queued_at', 'last', 'started_at', 'ended_at', 'code', 'error',
  'callback_status', 'callback_attempts', 'callback_error')
if m[1] ~= ARGV[1] then return false end
local place = m[2] == 'queued' and redis.call('LPOS', KEYS[2], ARGV[2])
return { m[2], place and place + 1 or 0, tonumber(m[3]), tonumber(m[4]), tonumber(m[5]), unpack(m, 6) }
