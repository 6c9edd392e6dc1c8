-- baro_dead_1: move an entry that can never be processed to the dead-letter stream and acknowledge it, fenced.
-- KEYS stream dead      ARGV group consumer id stage reason attempts
-- Replies {"ok", dead id} | {"lost", id}. Cost: O(size of the entry). allow-oom: it frees a pending entry.
local DEAD_LENGTH = 10000

local function bury(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'stream'}})
  if wrong then return fail(wrong) end
  local lost = lost_ids(keys[1], args[1], args[2], {args[3]})
  if #lost > 0 then return {'lost', args[3]} end
  local fields = {
    'dead_stage', args[4], 'dead_reason', args[5], 'dead_attempts', args[6], 'dead_stream', keys[1], 'dead_id', args[3],
    'dead_at_ms', whole(now_ms()),
  }
  local found = redis.call('XRANGE', keys[1], args[3], args[3])[1]
  if found then
    for _, item in ipairs(found[2]) do fields[#fields + 1] = item end
  end
  local id = redis.call('XADD', keys[2], 'MAXLEN', '~', DEAD_LENGTH, '*', unpack(fields))
  redis.call('XACK', keys[1], args[1], args[3])
  return {'ok', id}
end

redis.register_function({function_name = 'baro_dead_1', callback = bury, flags = {'allow-oom'}})

-- baro_reap_1: delete consumers that died long ago and hold nothing. One step, because XGROUP DELCONSUMER
-- throws away what is pending.
-- KEYS stream      ARGV group idle_ms      Replies the names deleted. Cost: O(consumers).
local function reap(keys, args)
  local gone = {}
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', keys[1], args[1])) do
    local info = {}
    for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
    if info['pending'] == 0 and info['idle'] > tonumber(args[2]) then
      redis.call('XGROUP', 'DELCONSUMER', keys[1], args[1], info['name'])
      gone[#gone + 1] = info['name']
    end
  end
  return gone
end

redis.register_function({function_name = 'baro_reap_1', callback = reap, flags = {'allow-oom'}})
