-- The id of this Redis' history, a new one with each failover, and 1 when a replica follows it or 0. One that is called online
-- but has yet to say how far it is may be loading what it was sent, for minutes. A Redis that does not tell is taken to have
-- none.
local function master()
  local said = redis.pcall('INFO', 'replication')
  if type(said) ~= 'string' then return '', 0 end
  return string.match(said, 'master_replid:(%x+)') or '', string.find(said, 'state=online,offset=[1-9]') and 1 or 0
end
