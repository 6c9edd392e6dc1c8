-- Helpers of several functions. The library `barograph` is this file, the other files named shared*.lua, and then every
-- file in a scope of its own. Three rules hold in all functions: all keys lie in one slot, data comes only through KEYS
-- and ARGV, and everything is checked before the first write, because a function that fails halfway is not rolled back.

-- Approximate number of entries that a dead-letter stream keeps.
local DEAD_LENGTH = 10000
-- Limit of the entries that one call may read. Callers ask for some hundreds at most.
local MOST_ENTRIES = 10000

-- The last id that a stream can hold.
local LAST_ID = '18446744073709551615-18446744073709551615'

local function whole(number)
  -- tostring() would write a time in ms as 1.7e+12.
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function fail(text)
  return redis.error_reply('ERR barograph: ' .. text)
end

-- Returns an error reply for the first key that exists and has another type than wanted, or nil.
local function wrong_type(wanted)
  for _, pair in ipairs(wanted) do
    local key, type_wanted = pair[1], pair[2]
    local found = redis.call('TYPE', key)
    found = found.ok or found
    if found ~= 'none' and found ~= type_wanted then return fail(key .. ' holds a ' .. found) end
  end
  return nil
end

-- Returns an error reply for the first argument that is not a whole number, or nil. Takes names and values in turn:
-- not_whole('keep_ms', keep_ms, 'n', n). tonumber() accepts more (nan, 0x10), but ZADD, PEXPIRE or arithmetic
-- would then fail, after the first write.
local function not_whole(...)
  for i = 1, select('#', ...), 2 do
    local name, text = select(i, ...)
    if not text or #text > 16 or not string.match(text, '^%d+$') then
      return fail('argument ' .. name .. ' must be a whole number')
    end
  end
  return nil
end

-- Returns the number of an argument that says how many items follow or may be read, or nil and an error reply. A count
-- above `most` is refused: a loop over 9e15 items would block the server for good.
local function count_of(name, text, most)
  local problem = not_whole(name, text)
  if problem then return nil, problem end
  local count = tonumber(text)
  if count > most then return nil, fail('argument ' .. name .. ' must be at most ' .. whole(math.max(most, 0))) end
  return count
end

-- Returns the number that a field of a hash holds: 0 for one that is absent or that somebody wrote something else into.
local function counted(held)
  return not not_whole('', held) and tonumber(held) or 0
end

-- Adds to a counter in a hash. One that holds no whole number, or would exceed 64 bits, begins again: an error would come
-- after the first write, and what is counted would never be done.
local function increase(key, field, by)
  local reply = redis.pcall('HINCRBY', key, field, whole(by))
  if type(reply) == 'table' and reply.err then redis.call('HSET', key, field, whole(by)) end
end

-- Returns a flat reply of names and values as a table by name.
local function pairs_of(flat)
  local by_name = {}
  for i = 1, #flat, 2 do by_name[flat[i]] = flat[i + 1] end
  return by_name
end

-- Returns an error reply for the first of the streams that takes no further entry, because its newest id is the last
-- possible one, or nil. XADD would refuse after the first write.
local function is_used_up(...)
  for _, stream in ipairs({...}) do
    local last = pairs_of(redis.pcall('XINFO', 'STREAM', stream))['last-generated-id']
    if last == LAST_ID then return fail(stream .. ' has no ids left; rename it, and it begins again') end
  end
  return nil
end

-- Returns the bytes that a key takes, 0 for none, or nil and an error reply. fakeredis has no MEMORY: 0 too, hence no bound.
-- Its errors are recognised by their type: they are no strings of Lua, and after another error they may hold that one's text.
local function memory_of(key, samples)
  local found = redis.pcall('MEMORY', 'USAGE', key, 'SAMPLES', samples)
  if type(found) ~= 'table' then return found or 0 end
  if type(found.err) ~= 'string' then return 0 end
  return nil, found
end

-- Returns ms and seq of an entry id as numbers: ids compare as pairs, never as text.
local function split_id(id)
  local ms, seq = string.match(id or '', '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

-- Returns the entry id that a field holds, or nil for one that is absent or that somebody wrote something else into.
local function held_id(key, field)
  local text = redis.call('HGET', key, field)
  return text and string.match(text, '^%d+%-%d+$')
end

-- Compares whole numbers as text: both parts of an id may exceed what a number of Lua holds exactly.
local function is_less(left, right)
  if #left ~= #right then return #left < #right end
  return left < right
end

local function is_before(left, right)
  local left_ms, left_seq = string.match(left, '^(%d+)-(%d+)$')
  local right_ms, right_seq = string.match(right, '^(%d+)-(%d+)$')
  return is_less(left_ms, right_ms) or (left_ms == right_ms and is_less(left_seq, right_seq))
end

-- Returns how many events an entry says that it holds, or nil where it does not say so.
local function events_of(fields)
  local n = fields['n'] or ''
  return string.match(n, '^%d%d?%d?%d?$') and tonumber(n)
end

-- Returns the fields of XINFO GROUPS for one group by name, or nil when there is no such stream or group.
local function group_info(stream, group)
  local found = redis.pcall('XINFO', 'GROUPS', stream)
  if found.err then return nil end
  for _, flat in ipairs(found) do
    local info = pairs_of(flat)
    if info['name'] == group then return info end
  end
  return nil
end

-- Returns when an entry arrived by the server's clock: the time in its id, unless the id is ahead of the clock. The append
-- function then wrote the time next to it; without that, the entry arrived by now.
local function arrival_ms(stream, id, now)
  local ms = split_id(id)
  if ms <= now then return ms end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local written = entry and pairs_of(entry[2])['at_ms']
  return not not_whole('at_ms', written) and math.min(tonumber(written), now) or now
end

-- Returns up to `count` entries after an id. XRANGE refuses to begin after the last possible id.
local function entries_after(stream, id, count)
  if id == LAST_ID then return {} end
  return redis.call('XRANGE', stream, '(' .. id, '+', 'COUNT', count)
end

-- Returns the id of the oldest entry that is pending or unread, or nil.
local function oldest_unfinished(stream, group, delivered)
  local oldest = redis.call('XPENDING', stream, group)[2]
  local unread = entries_after(stream, delivered, 1)[1]
  if unread and (not oldest or is_before(unread[1], oldest)) then oldest = unread[1] end
  return oldest
end

-- Returns those of `ids` (ascending) that are not pending for this consumer. Comparing counts is not enough: a delayed
-- commit of other entries could have the same count. Linear in the number of entries pending for the consumer.
local function lost_ids(stream, group, consumer, ids)
  if #ids == 0 then return {} end
  local owned = {}
  local from = ids[1]
  while true do
    local page = redis.call('XPENDING', stream, group, from, ids[#ids], 1000, consumer)
    for _, row in ipairs(page) do owned[row[1]] = true end
    if #page < 1000 then break end
    from = '(' .. page[#page][1]
  end
  local lost = {}
  for _, id in ipairs(ids) do
    if not owned[id] then lost[#lost + 1] = id end
  end
  return lost
end

-- XADD that also drops entries older than keep_ms, in whole radix nodes.
local function add(stream, now, keep_ms, fields)
  return redis.call('XADD', stream, 'MINID', '~', whole(math.max(now - tonumber(keep_ms), 0)), '*', unpack(fields))
end

-- Returns args[first..last] as a list.
local function slice(args, first, last)
  local part = {}
  for i = first, last do part[#part + 1] = args[i] end
  return part
end

-- Counts the instances that have not shipped everything before `finish` but were heard of within no_data_ms of it.
local function count_missing(producers, finish, no_data_ms)
  return redis.call('ZCOUNT', producers, whole(finish - tonumber(no_data_ms)), '(' .. whole(finish))
end
