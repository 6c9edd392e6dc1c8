-- baro_mark_1: write a marker of a service with its entry, once for each key.
-- KEYS     markers alerts
-- ARGV     key record at_ms most keep_ms field value ...
--          record: JSON text of the marker, with at_ms; most: how many a service may have, beyond which the oldest goes;
--          keep_ms: after this long without a new one all are forgotten
-- Replies  {"ok"} | {"held", record}: this key has a marker already, and nothing is written
-- Cost     O(1), O(most) where there are as many. Not allow-oom: who sends it sends it again.
local FIRST_FIELD = 6
-- An entry has few fields, and a marker is short: what is longer is none.
local MOST_FIELDS, MOST_BYTES = 64, 16384

local function written_ms(record)
  local is_read, found = pcall(cjson.decode, record)
  local at_ms = is_read and type(found) == 'table' and found['at_ms']
  -- NaN, which equals nothing, would make the order fail after the first write.
  return type(at_ms) == 'number' and at_ms == at_ms and at_ms or 0
end

-- Deletes the oldest markers beyond `most`; what cannot be read counts as the oldest.
local function make_room(markers, most)
  local more = redis.call('HLEN', markers) - most
  if more <= 0 then return end
  local held, flat = {}, redis.call('HGETALL', markers)
  for i = 1, #flat, 2 do held[#held + 1] = {flat[i], written_ms(flat[i + 1])} end
  table.sort(held, function(left, right)
    if left[2] ~= right[2] then return left[2] < right[2] end
    return left[1] < right[1]
  end)
  for i = 1, more do redis.call('HDEL', markers, held[i][1]) end
end

local function mark(keys, args)
  local markers, alerts = keys[1], keys[2]
  local key, record, at_ms, most, keep_ms = args[1], args[2], args[3], args[4], args[5]
  local fields = slice(args, FIRST_FIELD, #args)
  local problem = wrong_type({{markers, 'hash'}, {alerts, 'stream'}})
    or not_whole('at_ms', at_ms, 'most', most, 'keep_ms', keep_ms) or is_used_up(alerts)
  if problem then return problem end
  if key == '' or #record > MOST_BYTES or #fields == 0 or #fields % 2 ~= 0 or #fields > MOST_FIELDS then
    return fail('a marker cannot be written so')
  end
  local held = redis.call('HGET', markers, key)
  if held then return {'held', held} end
  redis.call('HSET', markers, key, record)
  make_room(markers, tonumber(most))
  redis.call('PEXPIRE', markers, keep_ms)
  redis.call('XADD', alerts, '*', unpack(fields))
  return {'ok'}
end

redis.register_function('baro_mark_1', mark)
