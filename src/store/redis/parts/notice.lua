-- with keys

-- Gives notice of what is done to a message from outside: {message, deed, attempts, trace}.
local function notice(id, deed)
  local m = redis.call('HMGET', message_key(id), 'attempts', 'trace')
  notices[#notices + 1] = { id, deed, tonumber(m[1] or 0), m[2] or '' }
end
