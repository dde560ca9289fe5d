-- with clock, keys, destination

-- Puts the callback of a message, which has one to this URL, into the outbox, unless it is there or was made.
local function call_back(id, url)
  if redis.call('HSETNX', message_key(id), 'callback_status', 'pending') == 0 then return end
  redis.call('HINCRBY', base .. 'counts', 'callbacks', '1')
  local to = destination(url)
  if redis.call('RPUSH', outbox_key(to), id) == 1 then redis.call('ZADD', base .. 'outbox', stamp, to) end
end
