-- with clock

-- Prolongs the claim by the lease.
local function prolong()
  local finish = string.format('%.0f', now + lease)
  redis.call('HSET', CLAIM, 'until', finish)
  redis.call('ZADD', base .. 'due', finish, queue)
end
