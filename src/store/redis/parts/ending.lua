-- with clock, keys

-- From now on a message and its log are kept for so long.
local function keep(id, ms)
  redis.call('PEXPIRE', message_key(id), ms)
  redis.call('PEXPIRE', log_key(id), ms)
end

-- Marks a message as ended with the event `last`, for as long as it is kept. `keys` and `url`: what is stored of its
-- deduplication keys, and of its callback.
local function close(id, keys, url, last, token, status, code, error)
  local m, kept = message_key(id), retention
  if status == 'completed' then
    redis.call('HSET', m, 'last', last, 'status', status, 'token', token, 'ended_at', stamp, 'payload', '')
  else
    redis.call('HSET', m, 'last', last, 'status', status, 'token', token, 'ended_at', stamp, 'code', code, 'error', error)
    if status == 'failed' then
      -- with dead
      kept = dead_retention
      dead_letter(id)
    else
      redis.call('HSET', m, 'payload', '')
    end
  end
  redis.call('HINCRBY', base .. 'counts', status, '1')
  local pending = false
  if url then
    -- with callback
    call_back(id, url)
    pending = redis.call('HGET', m, 'callback_status') == 'pending'
  end
  -- While its callback is to be made it is kept; that ends with the delivery, or with giving it up.
  if not pending then keep(id, kept) end
  if keys and keys ~= '[]' then
    -- with deduplication
    for _, name in ipairs(cjson.decode(keys)) do
      -- The key may have run out and be another message's by now.
      local d = deduplication_key(name)
      if redis.call('GET', d) == '|' .. id then redis.call('SET', d, status .. '|' .. id, 'KEEPTTL') end
    end
  end
end
