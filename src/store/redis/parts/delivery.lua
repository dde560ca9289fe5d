-- with destination

-- Does this broker hold the claim of a destination's callback under this token?
local function delivers(to, token)
  local held = redis.call('HMGET', delivery_key(to), 'token', 'owner')
  return held[1] == token and held[2] == broker
end
