-- The outbox of a channel: a sorted set of groups by due time, and for each alert one hash `items`: a field for each entry
-- that is still to be sent, named by its entry id, and the fields below. The worker that holds the group's lease sends an
-- alert's items in the order of their ids. Without grouping a group is one alert, and its name is the alert's id. A group of
-- several has three keys more:
--   waiting  set of alerts with items
--   told     sorted set of alerts whose firing was delivered, by when it is repeated: NEVER without a repetition, inf once the
--            end of the alert is queued
--   group    hash: sent_ms, the time of the last message; due_ms, when the next one is due, absent during a turn until items
--            come; and the digest under way (digest.lua). In the sorted set the group may be due sooner, to show flags.

-- What was last sent of this alert, as JSON text.
local MEMORY = 'memory'
-- The id of the item that is being sent. If it is set when the next worker comes, the item was sent or not: the worker
-- before died during the attempt. An item of a digest has IN_DIGEST before its id, and counts only while the group has a
-- digest under way.
local TRYING, IN_DIGEST = 'trying', 'digest '
-- The group that the alert's items wait in; absent when it is the alert itself.
local GROUP = 'group'
-- Score of an alert that is not repeated: far beyond every time, and below inf.
local NEVER = 9007199254740991

local function count_items(items)
  local count = redis.call('HLEN', items)
  if count == 0 then return 0 end
  local held = redis.call('HMGET', items, MEMORY, TRYING, GROUP)
  for i = 1, 3 do
    if held[i] then count = count - 1 end
  end
  return count
end

-- Counts a deliveries entry by channel and result: the stream itself is trimmed, and a worker's own counts end with it.
local function count_delivery(channels, fields)
  local noted = pairs_of(fields)
  if channels and noted['channel'] and noted['result'] then
    increase(channels, noted['channel'] .. ':' .. noted['result'], 1)
  end
end
