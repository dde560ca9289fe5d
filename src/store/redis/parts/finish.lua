-- with log, event, ending, news, notice, text

-- Ends a message that nobody works on, with its terminal event. `error`: one of the words, which is its code too.
local function finish(id, status, error)
  local m = redis.call('HMGET', message_key(id), 'last', 'keys', 'callback_url')
  local last = m[1] + 1
  write_log(id, last, event('error',
    string.format('{"message_id":%s,"status":"%s","code":"%s","error":%s}', quoted(id), status, status, quoted(error))))
  close(id, m[2], m[3], last, '', status, status, error)
  publish(id, last, true, '')
  notice(id, status)
end
