-- with clock, log, event, news, text, claimed

-- Claims a message, of which `claimable` tells, as its next attempt. `reason`: why the attempt before ended, false when there
-- was none or it was told.
local function take(id, m, reason, nonce, previous)
  local key, attempt = message_key(id), string.format('%d', m[1] + 1)
  local begin, written = '{"message_id":' .. quoted(id) .. ',"attempt":' .. attempt, 1
  local text = event('processing', begin .. '}')
  if reason then
    text, written = event('retrying', begin .. ',"reason":' .. quoted(reason) .. '}') .. text, 2
  end
  local last = m[2] + written
  write_log(id, last, text)
  m[1], m[2] = attempt, last
  if attempt == '1' then
    m[7] = stamp
    redis.call('HSET', key, 'status', 'processing', 'attempts', attempt, 'last', last, 'started_at', stamp)
    if m[6] and redis.call('HGET', key, 'callback_from') == 'start' then
      -- with callback
      call_back(id, m[6])
    end
  else
    redis.call('HSET', key, 'status', 'processing', 'attempts', attempt, 'last', last)
  end
  local token = redis.call('HINCRBY', base .. 'counts', 'token', '1')
  local finish = string.format('%.0f', now + lease)
  redis.call('HSET', CLAIM, 'message', id, 'owner', broker, 'token', token, 'until', finish, 'nonce', nonce, 'previous', previous)
  redis.call('ZADD', base .. 'due', finish, queue)
  publish(id, last, not reason, broker)
  return claimed(id, token, m, written)
end

-- Claims the first waiting message; false when none waits. Whatever was claimed before has ended.
local function claim_next(nonce, previous)
  local ids = redis.call('LRANGE', WAITING, 0, 1)
  local m = ids[1] and claimable(ids[1])
  if m and not (m[3] and m[3] + ttl > now) then
    -- with expiry
    expire_waiting(math.huge)
    ids = redis.call('LRANGE', WAITING, 0, 1)
    m = ids[1] and claimable(ids[1])
  end
  if not m then
    redis.call('ZREM', base .. 'heads', queue)
    redis.call('ZREM', base .. 'due', queue)
    return false
  end
  redis.call('LPOP', WAITING)
  redis.call('HINCRBY', base .. 'counts', 'waiting', '-1')
  if ids[2] then
    redis.call('ZADD', base .. 'heads', redis.call('HGET', message_key(ids[2]), 'queued_at') or stamp, queue)
  else
    redis.call('ZREM', base .. 'heads', queue)
  end
  return take(ids[1], m, false, nonce, previous)
end
