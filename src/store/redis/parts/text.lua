-- As JSON.stringify writes it.
local function quoted(text)
  return (string.gsub(cjson.encode(text), '\\/', '/'))
end
