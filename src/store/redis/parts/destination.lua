-- Before the id of a message whose callback is a dead letter.
local CALLBACK = 'callback:'

-- One user's callbacks to one URL.
local function destination(url) return #queue .. ':' .. queue .. ':' .. url end
local function outbox_key(to) return base .. 'o:' .. to end
local function delivery_key(to) return base .. 'x:' .. to end
