-- with keys, clock

-- After messages were taken from the waiting list: the index says what is left.
local function reindex()
  local head = redis.call('LINDEX', WAITING, 0)
  if head then
    redis.call('ZADD', base .. 'heads', redis.call('HGET', message_key(head), 'queued_at') or stamp, queue)
  else
    redis.call('ZREM', base .. 'heads', queue)
    if redis.call('EXISTS', CLAIM) == 0 then redis.call('ZREM', base .. 'due', queue) end
  end
end
