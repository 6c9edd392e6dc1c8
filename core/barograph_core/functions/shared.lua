-- What several functions need. Every file is joined after this one into the library `barograph`.
-- Rules that hold in all of them: keys of one slot, data only through KEYS and ARGV, and everything
-- checked before the first write, because a function that fails half-way is not rolled back.

-- Entries that a dead-letter stream keeps, about.
local DEAD_LENGTH = 10000

local function whole(number)
  -- tostring() would write 1.7e+12 for a time in ms.
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function fail(text)
  return redis.error_reply('ERR barograph: ' .. text)
end

-- Returns the first key whose type is neither absent nor as wanted, or nil.
local function wrong_type(wanted)
  for _, pair in ipairs(wanted) do
    local found = redis.call('TYPE', pair[1])
    found = found.ok or found
    if found ~= 'none' and found ~= pair[2] then return pair[1] .. ' holds a ' .. found end
  end
  return nil
end

-- Returns an error reply for the first of `positions` whose argument is not a whole number, or nil. What tonumber()
-- takes beside (nan, 0x10) fails in ZADD, PEXPIRE or arithmetic, after the first write.
local function not_whole(args, positions)
  for _, at in ipairs(positions) do
    local text = args[at] or ''
    if #text > 16 or not string.match(text, '^%d+$') then return fail('argument ' .. at .. ' must be a whole number') end
  end
  return nil
end

-- Returns the bytes that a key takes, 0 for none, or nil and an error reply. fakeredis has no MEMORY: 0 too, hence no bound.
local function memory_of(key, samples)
  local found = redis.pcall('MEMORY', 'USAGE', key, 'SAMPLES', samples)
  if type(found) ~= 'table' then return found or 0 end
  if string.find(tostring(found.err), 'nknown') then return 0 end
  return nil, found
end

-- Returns ms and seq of an entry id as numbers: ids compare as pairs, never as text.
local function split_id(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function is_before(left, right)
  local left_ms, left_seq = split_id(left)
  local right_ms, right_seq = split_id(right)
  return left_ms < right_ms or (left_ms == right_ms and left_seq < right_seq)
end

-- Returns a flat reply of names and values as a table by name.
local function pairs_of(flat)
  local by_name = {}
  for i = 1, #flat, 2 do by_name[flat[i]] = flat[i + 1] end
  return by_name
end

-- Returns what XINFO GROUPS tells of a group by name, or nil when there is no such stream or group.
local function group_info(stream, group)
  local found = redis.pcall('XINFO', 'GROUPS', stream)
  if found.err then return nil end
  for _, flat in ipairs(found) do
    local info = pairs_of(flat)
    if info['name'] == group then return info end
  end
  return nil
end

-- Returns the id of the oldest entry that is pending or unread, or nil.
local function oldest_unfinished(stream, group, delivered)
  local oldest = redis.call('XPENDING', stream, group)[2]
  local unread = redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1)[1]
  if unread and (not oldest or is_before(unread[1], oldest)) then oldest = unread[1] end
  return oldest
end

-- Returns which of `ids` (ascending) are not pending for this very consumer. Comparing a count is not
-- enough: a delayed commit with the same count would pass. Linear in what the consumer has pending.
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

-- XADD that also drops what is older than keep_ms, in whole radix nodes.
local function add(stream, now, keep_ms, fields)
  return redis.call('XADD', stream, 'MINID', '~', whole(math.max(now - tonumber(keep_ms), 0)), '*', unpack(fields))
end

-- Returns args[first..last] as a list.
local function slice(args, first, last)
  local part = {}
  for i = first, last do part[#part + 1] = args[i] end
  return part
end

-- How many instances have not shipped everything before `finish`, yet have been heard of within no_data_ms of it.
local function count_missing(producers, finish, no_data_ms)
  return redis.call('ZCOUNT', producers, whole(finish - tonumber(no_data_ms)), '(' .. whole(finish))
end
