-- baro_dead_1: move an entry that can never be processed to the dead-letter stream and acknowledge it, fenced.
-- KEYS     stream dead progress
-- ARGV     group consumer id stage reason attempts
-- Replies  {"ok", dead id} | {"lost", id}
-- Cost     O(size of the entry). allow-oom: it frees a pending entry.
-- Limits of the copy of a foreign entry: unpack() refuses some thousands of values, and the entry could then never be
-- moved. An entry of ours has 11 fields and 1 MiB of data.
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

local function dead_letter(keys, args)
  local stream, dead, progress = keys[1], keys[2], keys[3]
  local group, consumer, id, stage, reason, attempts = args[1], args[2], args[3], args[4], args[5], args[6]
  local problem = wrong_type({{stream, 'stream'}, {dead, 'stream'}, {progress, 'hash'}})
  if problem then return problem end
  local lost = lost_ids(stream, group, consumer, {id})
  if #lost > 0 then return {'lost', id} end
  local fields = {
    'dead_stage', stage, 'dead_reason', reason, 'dead_attempts', attempts, 'dead_stream', stream, 'dead_id', id,
    'dead_at_ms', whole(now_ms()),
  }
  local found = redis.call('XRANGE', stream, id, id)[1]
  if found then copy_fields(found[2], fields) end
  local dead_id = redis.call('XADD', dead, 'MAXLEN', '~', DEAD_LENGTH, '*', unpack(fields))
  redis.call('XACK', stream, group, id)
  increase(progress, 'dead:' .. group, 1)
  local events = found and events_of(pairs_of(found[2]))
  if events then
    increase(progress, 'dead_counted:' .. group, 1)
    increase(progress, 'dead_events:' .. group, events)
  end
  note_finished(stream, progress, group, {id})
  return {'ok', dead_id}
end

redis.register_function({function_name = 'baro_dead_1', callback = dead_letter, flags = {'allow-oom'}})
