-- with clock

-- Puts a message that is accepted at the end of the queue; answers its place.
local function push(id)
  local length = redis.call('RPUSH', WAITING, id)
  if length == 1 then redis.call('ZADD', base .. 'heads', stamp, queue) end
  -- A queue that is being worked on keeps the end of its lease.
  redis.call('ZADD', base .. 'due', 'NX', stamp, queue)
  redis.call('HINCRBY', base .. 'counts', 'accepted', '1')
  redis.call('HINCRBY', base .. 'counts', 'waiting', '1')
  return length
end
