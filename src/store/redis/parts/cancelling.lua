-- with finish, unclaim

-- Cancels all that wait; answers how many.
local function cancel_waiting()
  local ids = redis.call('LRANGE', WAITING, 0, -1)
  if #ids == 0 then return 0 end
  redis.call('DEL', WAITING)
  redis.call('HINCRBY', base .. 'counts', 'waiting', -#ids)
  for _, id in ipairs(ids) do
    if redis.call('EXISTS', message_key(id)) == 1 then finish(id, 'cancelled', CANCELLED) end
  end
  return #ids
end

-- Cancels the claimed message. Answers owner and token of the claim that is to end it; nothing when it has ended here,
-- because its claim ran out or was given up.
local function cancel_claimed()
  local held = redis.call('HMGET', CLAIM, 'message', 'owner', 'token', 'until')
  if not held[1] then return end
  if held[2] ~= '' and tonumber(held[4]) > now then
    redis.call('HSET', CLAIM, 'cancelled', 1)
    notice(held[1], 'cancelling')
    return held[2], tonumber(held[3])
  end
  if redis.call('EXISTS', message_key(held[1])) == 1 then finish(held[1], 'cancelled', CANCELLED) end
  unclaim()
  -- Whatever waits is due at once, not when the claim would have been.
  redis.call('ZREM', base .. 'due', queue)
  if redis.call('LLEN', WAITING) > 0 then redis.call('ZADD', base .. 'due', stamp, queue) end
end
