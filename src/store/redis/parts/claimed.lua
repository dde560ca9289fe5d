-- What is to be known of a message to claim it.
local function claimable(id)
  return redis.call('HMGET', base .. 'm:' .. id, 'attempts', 'last', 'queued_at', 'payload', 'trace', 'callback_url', 'started_at')
end

-- A claim of a message of which `claimable` tells, as text: a JSON array of message, token, attempt, last, ms from its
-- acceptance to its first claim, how many events were just written for it, trace, callback's url and when its turn comes;
-- behind the line the payload as it is.
local function claimed(id, token, m, events)
  local from = m[6] and redis.call('HGET', base .. 'm:' .. id, 'callback_from')
  return cjson.encode({ id, token, m[1], m[2], m[7] - m[3], events, m[5], m[6], from }) .. '\n' .. m[4]
end
