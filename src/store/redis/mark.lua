#!lua flags=allow-oom
-- Writes something, that all before it may be waited for: also when Redis is full, for what was cancelled makes room.
--
-- KEYS    1 marker of a shard
return redis.call('SET', KEYS[1], '1')
