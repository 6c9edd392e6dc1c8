-- baro_frontier_1: compute the watermark from the log's progress, and decide which worker closes panes.
-- KEYS     events progress [closed]
-- ARGV     group grace_ms consumer lease_ms no_data_ms [lateness_ms expected_ms wall_ms set_back_to]
--          no_data_ms: stored in `progress` as the closer's setting, for readers that count silent producers as it does
--          lateness_ms: likewise, for readers that must know what no late event revises any more
--          expected_ms: the server's time by the caller's monotonic clock, "" when it has none; wall_ms: the caller's wall
--          clock. A clock that is far ahead of both is not believed: the call goes on with the expected time.
--          set_back_to: where not "", the base step: a clock that was believed nevertheless is right again, so watermark
--          and cursors go back, because no rule would be judged until it has caught up.
--          Callers of earlier versions leave out what they do not know.
-- Replies  {watermark_ms, is_closer, oldest, time in ms as believed, deletions, series_dropped} and, for a caller that states
--          what it expects, {server time in ms, services whose cursors were set back}
--          is_closer: 1 when this consumer holds the closing lease; oldest: id of the oldest entry not committed or "";
--          deletions: number of services ever deleted, which baro_close_1 compares, so that nothing read before a deletion
--          is written after it; series_dropped: number of series lists ever deleted, each of which makes the workers'
--          caches of admitted series invalid
-- Cost     O(consumers). allow-oom: closing, which frees memory, needs it.
-- How far a clock may be ahead of what is expected, and a watermark of the clock. Less than no_data_ms: panes that close
-- early by as much have instances missing, so that nothing resolves.
local MOST_AHEAD_MS = 60000
local DOUBT_MS = 1000

-- The lease only saves the other workers needless work: closing itself is compare-and-set.
local function closing_lease(progress, consumer, lease_ms, no_data_ms, lateness_ms, now)
  local held = redis.call('HMGET', progress, 'closer', 'closer_until_ms')
  local until_ms = counted(held[2])
  -- A lease that ends later than any lease can was granted before the server's clock was set back.
  if held[1] and held[1] ~= consumer and until_ms > now and until_ms <= now + lease_ms then return 0 end
  redis.call('HSET', progress, 'closer', consumer, 'closer_until_ms', whole(now + lease_ms), 'no_data_ms', no_data_ms)
  if lateness_ms then redis.call('HSET', progress, 'lateness_ms', lateness_ms) else redis.call('HDEL', progress, 'lateness_ms') end
  return 1
end

-- Returns the id up to which the group has read. One that was set back by hand is set forward to where all is finished;
-- what it has read once more meanwhile is refused by the commit.
local function delivered_id(events, progress, group, delivered)
  local finished = held_id(progress, 'finished:' .. group)
  if not finished or not is_before(delivered, finished) then return delivered end
  finished = finished_through(events, progress, group)
  if not finished then return delivered end
  redis.call('XGROUP', 'SETID', events, group, finished)
  return finished
end

-- Returns the server's time, or the expected one while the caller doubts the clock, or another caller did within a second:
-- one that has just started expects nothing.
local function believed_ms(progress, server_ms, expected, wall)
  if expected and server_ms > math.max(expected, wall) + MOST_AHEAD_MS then
    redis.call('HSET', progress, 'doubt_until_ms', whole(server_ms + DOUBT_MS), 'doubt_ms', whole(expected))
    return expected
  end
  local doubt = redis.call('HMGET', progress, 'doubt_until_ms', 'doubt_ms')
  local until_ms = counted(doubt[1])
  if until_ms > server_ms and until_ms <= server_ms + DOUBT_MS then return math.min(server_ms, counted(doubt[2])) end
  return server_ms
end

-- Sets the watermark and the services' cursors back to `reached`. Panes after it close once more, as those of a service
-- do that comes back (close.lua).
local function set_back(progress, closed, reached, base_step)
  redis.call('HSET', progress, 'watermark_ms', whole(reached))
  local through, moved = reached - reached % base_step, 0
  local cursors = redis.call('HGETALL', closed)
  for i = 1, #cursors, 2 do
    if counted(cursors[i + 1]) > through then
      redis.call('HSET', closed, cursors[i], whole(through))
      moved = moved + 1
    end
  end
  return moved
end

local function frontier(keys, args)
  local events, progress, closed = keys[1], keys[2], keys[3]
  local expected, wall, base_step = tonumber(args[7] or ''), tonumber(args[8] or ''), tonumber(args[9] or '')
  local group, grace_ms, consumer, lease_ms, no_data_ms, lateness_ms = args[1], args[2], args[3], args[4], args[5], args[6]
  local problem = wrong_type({{events, 'stream'}, {progress, 'hash'}, closed and {closed, 'hash'}})
    or not_whole('grace_ms', grace_ms, 'lease_ms', lease_ms, 'no_data_ms', no_data_ms, 'lateness_ms', lateness_ms or '0')
    or (closed and not_whole('wall_ms', args[8])) or (expected and not_whole('expected_ms', args[7]))
    or (base_step and not_whole('set_back_to', args[9]))
  if problem then return problem end
  local info = group_info(events, group)
  if not info then return redis.error_reply('NOGROUP no consumer group ' .. group .. ' on ' .. events) end
  local oldest = oldest_unfinished(events, group, delivered_id(events, progress, group, info['last-delivered-id']))
  local server_ms = now_ms()
  local now = believed_ms(progress, server_ms, expected, wall)
  -- Entry ids can be ahead of the clock: after it was set back, after a failover, or by an XADD with an explicit id.
  -- Never beyond now: a watermark that once reached next year would close nothing in order until then.
  local reached = (oldest and arrival_ms(events, oldest, now) or now) - tonumber(grace_ms)
  local watermark = counted(redis.call('HGET', progress, 'watermark_ms'))
  local moved = 0
  if reached > watermark then
    watermark = reached
    -- reached_ms: all entries that arrived before it are committed; alerters judge by it what may still come into open panes.
    redis.call('HSET', progress, 'watermark_ms', whole(watermark), 'reached_ms', whole(reached + tonumber(grace_ms)))
  elseif closed and base_step and watermark > now + MOST_AHEAD_MS then
    watermark, moved = reached, set_back(progress, closed, reached, base_step)
  end
  local counts = redis.call('HMGET', progress, 'deletions', 'series_dropped')
  local is_closer = closing_lease(progress, consumer, tonumber(lease_ms), no_data_ms, lateness_ms, server_ms)
  local reply = {watermark, is_closer, oldest or '', now, counted(counts[1]), counted(counts[2])}
  if closed then reply[7], reply[8] = server_ms, moved end
  return reply
end

redis.register_function({function_name = 'baro_frontier_1', callback = frontier, flags = {'allow-oom'}})
