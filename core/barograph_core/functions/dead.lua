-- baro_dead_1: move an entry that can never be processed to the dead-letter stream and acknowledge it, fenced.
-- KEYS stream dead progress      ARGV group consumer id stage reason attempts
-- Replies {"ok", dead id} | {"lost", id}. Cost: O(size of the entry). allow-oom: it frees a pending entry.
-- Beyond these a foreign entry is not copied whole: unpack() refuses some thousands of values, and then the entry
-- could never be buried. An entry of ours has 11 fields and 1 MiB of data.
local MOST_FIELDS, MOST_BYTES = 100, 2097152

local function copy_fields(flat, fields)
  local bytes, left_off = 0, 0
  for i = 1, #flat, 2 do
    local size = #flat[i] + #flat[i + 1]
    if i < 2 * MOST_FIELDS and bytes + size <= MOST_BYTES then
      bytes = bytes + size
      fields[#fields + 1] = flat[i]
      fields[#fields + 1] = flat[i + 1]
    else
      left_off = left_off + 1
    end
  end
  if left_off > 0 then
    fields[#fields + 1] = 'dead_left_off'
    fields[#fields + 1] = left_off
  end
end

local function bury(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'stream'}, {keys[3], 'hash'}})
  if wrong then return fail(wrong) end
  local lost = lost_ids(keys[1], args[1], args[2], {args[3]})
  if #lost > 0 then return {'lost', args[3]} end
  local fields = {
    'dead_stage', args[4], 'dead_reason', args[5], 'dead_attempts', args[6], 'dead_stream', keys[1], 'dead_id', args[3],
    'dead_at_ms', whole(now_ms()),
  }
  local found = redis.call('XRANGE', keys[1], args[3], args[3])[1]
  if found then copy_fields(found[2], fields) end
  local id = redis.call('XADD', keys[2], 'MAXLEN', '~', DEAD_LENGTH, '*', unpack(fields))
  redis.call('XACK', keys[1], args[1], args[3])
  redis.call('HINCRBY', keys[3], 'dead:' .. args[1], 1)
  return {'ok', id}
end

redis.register_function({function_name = 'baro_dead_1', callback = bury, flags = {'allow-oom'}})

-- baro_claim_1: XAUTOCLAIM that counts what was trimmed while it was pending: the server drops that as it meets it.
-- KEYS stream progress      ARGV group consumer idle_ms cursor count      Replies as XAUTOCLAIM. Cost: O(count).
local function claim_idle(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local reply = redis.call('XAUTOCLAIM', keys[1], args[1], args[2], args[3], args[4], 'COUNT', args[5])
  local trimmed = reply[3] or {}
  if #trimmed > 0 then redis.call('HINCRBY', keys[2], 'lost:' .. args[1], #trimmed) end
  return reply
end

redis.register_function({function_name = 'baro_claim_1', callback = claim_idle, flags = {'allow-oom'}})

-- baro_lost_1: acknowledge and count entries that were trimmed while they were pending.
-- KEYS stream progress      ARGV group id...      Replies how many were still pending. Cost: O(ids).
local function give_up(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local acknowledged = redis.call('XACK', keys[1], args[1], unpack(args, 2))
  if acknowledged > 0 then redis.call('HINCRBY', keys[2], 'lost:' .. args[1], acknowledged) end
  return acknowledged
end

redis.register_function({function_name = 'baro_lost_1', callback = give_up, flags = {'allow-oom'}})

-- baro_reap_1: delete consumers that died long ago and hold nothing. One step, because XGROUP DELCONSUMER
-- throws away what is pending.
-- KEYS stream      ARGV group idle_ms      Replies the names deleted. Cost: O(consumers).
local function reap(keys, args)
  local gone = {}
  for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', keys[1], args[1])) do
    local info = pairs_of(flat)
    if info['pending'] == 0 and info['idle'] > tonumber(args[2]) then
      redis.call('XGROUP', 'DELCONSUMER', keys[1], args[1], info['name'])
      gone[#gone + 1] = info['name']
    end
  end
  return gone
end

redis.register_function({function_name = 'baro_reap_1', callback = reap, flags = {'allow-oom'}})
