-- with finish

-- Ends the messages at the head that have waited for too long, at most `most`; answers how many.
local function expire_waiting(most)
  local count = 0
  while count < most do
    local id = redis.call('LINDEX', WAITING, 0)
    if not id then break end
    local queued_at = redis.call('HGET', message_key(id), 'queued_at')
    if queued_at and queued_at + ttl > now then break end
    redis.call('LPOP', WAITING)
    redis.call('HINCRBY', base .. 'counts', 'waiting', -1)
    -- Its data can only be missing where Redis was allowed to evict it; the queue goes on without it.
    if queued_at then finish(id, 'expired', EXPIRED) end
    count = count + 1
  end
  return count
end
