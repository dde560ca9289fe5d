-- What the brokers say of themselves that have said it lately.
--
-- KEYS    1 status   2 until
-- answer  {what one says...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local said = {}
for _, broker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')) do
  said[#said + 1] = redis.call('HGET', KEYS[1], broker) or nil
end
return said
