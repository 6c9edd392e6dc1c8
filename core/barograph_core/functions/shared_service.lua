-- Helpers of the functions that end a service.

-- Returns how many members of a sorted set `service:step_ms:start_ms` are of one service, and the first not in `known`.
local function members_of(queue, service, known)
  local count, unknown, prefix = 0, nil, service .. ':'
  for _, member in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
    if string.sub(member, 1, #prefix) == prefix then
      count = count + 1
      if known and not known[member] then unknown = unknown or member end
    end
  end
  return count, unknown
end

local function count_alerts(state)
  local count = 0
  for _, field in ipairs(redis.call('HKEYS', state)) do
    if string.sub(field, 1, 6) == 'alert:' then count = count + 1 end
  end
  return count
end

-- Returns the id of the oldest unfinished entry when it is at or before `id`, or nil.
local function is_behind(stream, group, id)
  local info = group_info(stream, group)
  local oldest = info and oldest_unfinished(stream, group, info['last-delivered-id'])
  if oldest and not is_before(id, oldest) then return oldest end
  return nil
end

-- Deletes the list of series kept apart, and returns how many keys were deleted. This frees all places in the list.
-- Replays of older panes then find other series in it than were kept at their time. Workers must drop their caches
-- (series_dropped in frontier.lua), or one place would be used by two series.
local function drop_series(series, progress)
  local gone = redis.call('DEL', series)
  if gone == 1 then
    redis.call('HSET', progress, 'places_freed_ms', whole(now_ms()))
    increase(progress, 'series_dropped', 1)
  end
  return gone
end
