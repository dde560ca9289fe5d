-- Keys of messages are made from the base: which message is next is known only here. They carry the same hash tag.
local function message_key(id) return base .. 'm:' .. id end
local function log_key(id) return base .. 'e:' .. id end
