-- The pending entries of a group: they are claimed, given up when trimmed, and keep their consumer alive.

-- baro_claim_1: XAUTOCLAIM that also counts the entries that were trimmed while pending, which the server drops silently.
-- KEYS     stream progress
-- ARGV     group consumer idle_ms cursor count
-- Replies  the reply of XAUTOCLAIM
-- Cost     O(count). allow-oom: lost entries must be counted on a full server too.
local function claim_idle(keys, args)
  local stream, progress = keys[1], keys[2]
  local group, consumer, idle_ms, cursor, count = args[1], args[2], args[3], args[4], args[5]
  local _, refused = count_of('count', count, MOST_ENTRIES)
  local problem = refused or not_whole('idle_ms', idle_ms) or wrong_type({{stream, 'stream'}, {progress, 'hash'}})
  if problem then return problem end
  local reply = redis.call('XAUTOCLAIM', stream, group, consumer, idle_ms, cursor, 'COUNT', count)
  local trimmed = reply[3] or {}
  if #trimmed > 0 then increase(progress, 'lost:' .. group, #trimmed) end
  return reply
end

redis.register_function({function_name = 'baro_claim_1', callback = claim_idle, flags = {'allow-oom'}})

-- baro_lost_1: acknowledge and count entries that were trimmed while pending.
-- KEYS     stream progress
-- ARGV     group id...
-- Replies  how many were still pending
-- Cost     O(ids). allow-oom: as baro_claim_1.
local function give_up(keys, args)
  local stream, progress = keys[1], keys[2]
  local group = args[1]
  local problem = wrong_type({{stream, 'stream'}, {progress, 'hash'}})
  if problem then return problem end
  local acknowledged = redis.call('XACK', stream, group, unpack(args, 2))
  if acknowledged > 0 then increase(progress, 'lost:' .. group, acknowledged) end
  return acknowledged
end

redis.register_function({function_name = 'baro_lost_1', callback = give_up, flags = {'allow-oom'}})

-- baro_reap_1: delete consumers that have been idle for long and have nothing pending. Check and deletion are one step,
-- because XGROUP DELCONSUMER discards pending entries.
-- KEYS     stream
-- ARGV     group idle_ms
--          idle_ms: -1 for consumers that were active just now too
-- Replies  the names deleted
-- Cost     O(consumers). allow-oom: it frees memory.
local function reap(keys, args)
  local stream = keys[1]
  local group, idle_ms = args[1], tonumber(args[2])
  if not idle_ms then return fail('argument idle_ms must be a number') end
  local gone = {}
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local info = pairs_of(flat)
    if info['pending'] == 0 and info['idle'] > idle_ms then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, info['name'])
      gone[#gone + 1] = info['name']
    end
  end
  return gone
end

redis.register_function({function_name = 'baro_reap_1', callback = reap, flags = {'allow-oom'}})
