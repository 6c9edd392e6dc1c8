-- baro_read_1: read closed panes and the parts of open ones at one moment.
-- KEYS     closed, nblocks blocks, parts...
-- ARGV     service nblocks then for each block: k, k times (start_ms known_revision); then for each parts key: first part wanted; then again for each
--          [mark of the part before it, "" for none]: where it is another, a failover has lost parts that the caller knows,
--          and all parts are returned. Callers of earlier versions state no marks.
-- Replies  {closed_through_ms or "", {start_ms, revision, missing, blob}..., {length, part...}...}; panes that are absent or
--          have the known revision are left out
-- Cost     O(size of the reply)
local HEAD_ARGS, MARK_BYTES = 2, 8

-- Returns the place of the first part to return.
local function first_wanted(parts, wanted, mark)
  if not mark or mark == '' then return wanted end
  local before = redis.call('LINDEX', parts, tonumber(wanted) - 1)
  return before and string.sub(before, 1, MARK_BYTES) == mark and wanted or 0
end

local function read(keys, args)
  local closed = keys[1]
  local service = args[1]
  local nblocks, problem = count_of('nblocks', args[2], #keys - 1)
  if problem then return problem end
  local panes, parts, at = {}, {}, HEAD_ARGS + 1
  for block = 2, 1 + nblocks do
    local k, refused = count_of('k', args[at], math.floor((#args - at) / 2))
    if refused then return refused end
    for pair = at + 1, at + 2 * k, 2 do
      local start_ms, known_revision = args[pair], args[pair + 1]
      local revision = redis.call('HGET', keys[block], 'r' .. start_ms)
      if revision and revision ~= known_revision then
        local found = redis.call('HMGET', keys[block], 'm' .. start_ms, start_ms)
        panes[#panes + 1] = {start_ms, revision, found[1], found[2]}
      end
    end
    at = at + 1 + 2 * k
  end
  local marks = at + #keys - 1 - nblocks
  for key = 2 + nblocks, #keys do
    local found = redis.call('LRANGE', keys[key], first_wanted(keys[key], args[at], args[marks + key - 2 - nblocks]), -1)
    table.insert(found, 1, whole(redis.call('LLEN', keys[key])))
    parts[#parts + 1] = found
    at = at + 1
  end
  return {redis.call('HGET', closed, service) or '', panes, parts}
end

redis.register_function({function_name = 'baro_read_1', callback = read, flags = {'no-writes'}})
