-- Tells the brokers. `from`: the one that needs not be told, because it tells its own watchers when the script has answered.
local function publish(id, last, moved, from)
  redis.call('SPUBLISH', base .. 'c:' .. queue, cjson.encode({ from, id, last, moved }))
end
