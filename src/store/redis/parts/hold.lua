-- Does this broker hold the claim under this token, on this message? Tokens alone could repeat after Redis has lost writes.
local function holds(token, id)
  local held = redis.call('HMGET', CLAIM, 'token', 'owner', 'message')
  return held[1] == token and held[2] == broker and (not id or held[3] == id)
end
