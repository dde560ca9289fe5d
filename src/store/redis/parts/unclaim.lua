-- Forgets the claim: its message has ended.
local function unclaim()
  redis.call('DEL', CLAIM)
  redis.call('HINCRBY', base .. 'counts', 'processing', -1)
end
