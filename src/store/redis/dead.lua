-- Dead letters of one shard: messages that failed, and callbacks that could not be made, newest first.
--
-- KEYS    1 dead
-- ARGV    1 base of the shard's keys   2 at most so many   3 ended_at and 4 message of the one after which to begin,
--         '+inf' and '' for the newest
-- answer  {message, queue, attempts, queued_at, ended_at, code, error, 'message' or 'callback', message...}; of a
--         callback that was given up, attempts, ended_at, code and error are its own
local most, found, offset = tonumber(ARGV[2]), {}, 0

while #found < 8 * most do
  local page = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', offset, 100)
  for i = 1, #page, 2 do
    local id, ended_at = string.gsub(page[i], '^callback:', ''), page[i + 1]
    local kind = id == page[i] and 'message' or 'callback'
    -- What ended in the same millisecond is ordered by its id.
    local begun = ended_at ~= ARGV[3] or id < ARGV[4]
    local m = begun and redis.call('HMGET', ARGV[1] .. 'm:' .. id, 'queue', 'attempts', 'queued_at', 'code', 'error',
      'callback_attempts', 'callback_error')
    if m and m[1] and #found < 8 * most then
      local letter = { id, m[1], tonumber(m[2]), tonumber(m[3]), tonumber(ended_at), m[4], m[5], kind }
      if kind == 'callback' then
        letter[3], letter[6], letter[7] = tonumber(m[6] or 0), 'callback_undelivered', m[7] or ''
      end
      for _, value in ipairs(letter) do found[#found + 1] = value end
    end
  end
  if #page < 200 then break end
  offset = offset + 100
end
return found
