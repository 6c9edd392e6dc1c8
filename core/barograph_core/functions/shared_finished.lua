-- How far a group has finished its stream, kept in `progress` for when the group is destroyed or set back by hand: all
-- entries up to finished:<group>, and those in the ranges of ahead:<group> (first last first last ...), which other
-- consumers finished while an older entry was pending.

-- Limit of the ranges kept. Entries of further ones would count twice if the group were destroyed at that moment.
local MOST_RANGES = 1000
-- Lua's numbers hold whole numbers of up to this many digits exactly.
local EXACT_DIGITS = 15

local LAST_PART = '18446744073709551615'

-- Returns the id before `id`, or nil when that cannot be computed.
local function id_before(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  if #ms > EXACT_DIGITS then return nil end
  if #seq <= EXACT_DIGITS and tonumber(seq) > 0 then return ms .. '-' .. whole(tonumber(seq) - 1) end
  return tonumber(seq) == 0 and tonumber(ms) > 0 and whole(tonumber(ms) - 1) .. '-' .. LAST_PART or nil
end

local function is_none_pending(stream, group, first, last)
  return #redis.call('XPENDING', stream, group, first, last, 1) == 0
end

-- Returns ids (ascending) as ranges between which something is still pending.
local function ranges_of(stream, group, ids)
  local ranges = {}
  if is_none_pending(stream, group, ids[1], ids[#ids]) then return {{ids[1], ids[#ids]}} end
  for _, id in ipairs(ids) do
    local range = ranges[#ranges]
    if range and is_none_pending(stream, group, range[2], id) then range[2] = id else ranges[#ranges + 1] = {id, id} end
  end
  return ranges
end

local function read_ranges(text)
  local ranges = {}
  for first, last in string.gmatch(text or '', '(%d+%-%d+) (%d+%-%d+)') do ranges[#ranges + 1] = {first, last} end
  return ranges
end

-- Returns the ranges that end after `finished`, in order, neighbours joined where nothing between them is pending.
local function joined(stream, group, ranges, finished)
  table.sort(ranges, function(left, right) return is_before(left[1], right[1]) end)
  local kept = {}
  for _, range in ipairs(ranges) do
    local last = kept[#kept]
    if last and is_none_pending(stream, group, last[2], range[1]) then
      if is_before(last[2], range[2]) then last[2] = range[2] end
    elseif is_before(finished, range[2]) and #kept < MOST_RANGES then
      kept[#kept + 1] = range
    end
  end
  return kept
end

-- Notes that `ids` (ascending) were finished; called after they were acknowledged.
local function note_finished(stream, progress, group, ids)
  local held, ahead = held_id(progress, 'finished:' .. group), redis.call('HGET', progress, 'ahead:' .. group)
  local oldest, finished = redis.call('XPENDING', stream, group)[2], group_info(stream, group)['last-delivered-id']
  if oldest then finished = id_before(oldest) or held or '0-0' end
  if held and is_before(finished, held) then finished = held end
  if finished ~= held then redis.call('HSET', progress, 'finished:' .. group, finished) end
  local ranges = read_ranges(ahead)
  if is_before(finished, ids[#ids]) then
    for _, range in ipairs(ranges_of(stream, group, ids)) do ranges[#ranges + 1] = range end
  end
  local words = {}
  for _, range in ipairs(joined(stream, group, ranges, finished)) do
    words[#words + 1], words[#words + 2] = range[1], range[2]
  end
  if #words > 0 then
    redis.call('HSET', progress, 'ahead:' .. group, table.concat(words, ' '))
  elseif ahead then
    redis.call('HDEL', progress, 'ahead:' .. group)
  end
end

-- Returns the id up to which all is finished, or nil when nothing is known of this stream: one that was deleted and begun
-- again may have lower ids.
local function finished_through(stream, progress, group)
  local finished = held_id(progress, 'finished:' .. group)
  if not finished then return nil end
  local facts = pairs_of(redis.pcall('XINFO', 'STREAM', stream))
  if facts['last-generated-id'] and not is_before(facts['last-generated-id'], finished) then return finished end
  redis.call('HDEL', progress, 'finished:' .. group, 'ahead:' .. group)
  return nil
end

-- Returns those of `ids` (ascending) that were finished already: the group was set back, and read them once more.
local function finished_ids(stream, progress, group, ids)
  local held, ranges = held_id(progress, 'finished:' .. group), read_ranges(redis.call('HGET', progress, 'ahead:' .. group))
  if not held or (#ranges == 0 and is_before(held, ids[1])) then return {} end
  local finished = finished_through(stream, progress, group)
  if not finished then return {} end
  ranges[#ranges + 1] = {'0-0', finished}
  local found = {}
  for _, id in ipairs(ids) do
    for _, range in ipairs(ranges) do
      if not is_before(id, range[1]) and not is_before(range[2], id) then
        found[#found + 1] = id
        break
      end
    end
  end
  return found
end
