-- with keys

-- Has the claim come no further than to say that there will be another attempt? `told`: the event that said so.
local function only_told()
  local held = redis.call('HMGET', CLAIM, 'message', 'told')
  return (held[2] or '') ~= '' and redis.call('HGET', message_key(held[1]), 'last') == held[2]
end
