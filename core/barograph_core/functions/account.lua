-- baro_account_1: what became of every entry of a stream, as of one moment:
-- added = committed + dead + lost + pending + unread + what was trimmed before anybody read it.
-- KEYS stream progress      ARGV group limit
-- Replies {added, committed, dead, lost, pending, unread}, unread -1 when there are more than limit;
-- nil when there is no such stream or group. Cost: O(limit).
local function group_of(stream, group)
  local found = redis.pcall('XINFO', 'GROUPS', stream)
  if found.err then return nil end
  for _, flat in ipairs(found) do
    local info = {}
    for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
    if info['name'] == group then return info end
  end
  return nil
end

local function count_unread(stream, delivered, limit)
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if not first then return 0 end
  if is_before(delivered, first[1]) then return redis.call('XLEN', stream) end
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not is_before(delivered, last[1]) then return 0 end
  local count = #redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', limit + 1)
  return count <= limit and count or -1
end

local function account(keys, args)
  local wrong_argument = not_whole(args, {2})
  if wrong_argument then return wrong_argument end
  local info = group_of(keys[1], args[1])
  if not info then return false end
  local stream, facts = redis.call('XINFO', 'STREAM', keys[1]), {}
  for i = 1, #stream, 2 do facts[stream[i]] = stream[i + 1] end
  local held = redis.call('HMGET', keys[2], 'committed', 'dead:' .. args[1], 'lost:' .. args[1])
  return {
    facts['entries-added'], tonumber(held[1] or '0'), tonumber(held[2] or '0'), tonumber(held[3] or '0'),
    info['pending'], count_unread(keys[1], info['last-delivered-id'], tonumber(args[2])),
  }
end

redis.register_function({function_name = 'baro_account_1', callback = account, flags = {'no-writes'}})
