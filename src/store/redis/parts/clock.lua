-- Redis' time in ms, as a number to reckon with and as text: a number is written out anew for each command that gets it.
local time = redis.call('TIME')
local stamp = string.format('%s%03d', time[1], time[2] / 1000)
local now = tonumber(stamp)
