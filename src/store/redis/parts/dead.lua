-- Adds to the dead letters, and takes out those that are kept no longer.
local function dead_letter(member)
  redis.call('ZREMRANGEBYSCORE', base .. 'dead', '-inf', now - dead_retention)
  redis.call('ZADD', base .. 'dead', stamp, member)
end
