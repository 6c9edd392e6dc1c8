-- baro_read_1: closed panes and the parts of open ones, as of one moment.
-- KEYS closed, nblocks blocks, parts...
-- ARGV service nblocks then for each block: k, k times (start_ms known_revision); then for each parts key: first part wanted
-- Replies {closed_through_ms or "", {start_ms, revision, missing, blob}..., {length, part...}...}; a pane is left out when absent or
-- when its revision is the known one. Cost: O(what is replied).
local function read(keys, args)
  local nblocks = tonumber(args[2])
  local panes, parts, at = {}, {}, 3
  for block = 2, 1 + nblocks do
    local k = tonumber(args[at])
    for i = 0, k - 1 do
      local start, known = args[at + 1 + 2 * i], args[at + 2 + 2 * i]
      local revision = redis.call('HGET', keys[block], 'r' .. start)
      if revision and revision ~= known then
        local found = redis.call('HMGET', keys[block], 'm' .. start, start)
        panes[#panes + 1] = {start, revision, found[1], found[2]}
      end
    end
    at = at + 1 + 2 * k
  end
  for key = 2 + nblocks, #keys do
    local found = redis.call('LRANGE', keys[key], args[at], -1)
    table.insert(found, 1, whole(redis.call('LLEN', keys[key])))
    parts[#parts + 1] = found
    at = at + 1
  end
  return {redis.call('HGET', keys[1], args[1]) or '', panes, parts}
end

redis.register_function({function_name = 'baro_read_1', callback = read, flags = {'no-writes'}})
