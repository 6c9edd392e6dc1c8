-- baro_frontier_1: the watermark from the log's progress, and who closes.
-- KEYS events progress      ARGV group grace_ms consumer lease_ms no_data_ms
--      no_data_ms: kept in `progress` as the closer has it, for those who count silent producers as it does
-- Replies {watermark_ms, 1 when this consumer holds the closing lease, id of the oldest entry not committed or "", server time in ms,
-- how many services were ever deleted: closing compares it, so that nothing read before a deletion is written after it,
-- how many lists of series were: what workers were told of a series before holds no longer}.
-- The lease only spares the other workers double work; closing itself is compare-and-set. Cost: O(consumers).
local function closing_lease(progress, consumer, lease_ms, no_data_ms, now)
  local held = redis.call('HMGET', progress, 'closer', 'closer_until_ms')
  local until_ms = tonumber(held[2] or '0')
  -- A lease that ends later than any can was given before the server's clock was set back.
  if held[1] and held[1] ~= consumer and until_ms > now and until_ms <= now + lease_ms then return 0 end
  redis.call('HSET', progress, 'closer', consumer, 'closer_until_ms', whole(now + lease_ms), 'no_data_ms', no_data_ms)
  return 1
end

local function frontier(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {2, 4, 5})
  if wrong_argument then return wrong_argument end
  local info = group_info(keys[1], args[1])
  if not info then return redis.error_reply('NOGROUP no consumer group ' .. args[1] .. ' on ' .. keys[1]) end
  local oldest = oldest_unfinished(keys[1], args[1], info['last-delivered-id'])
  local now = now_ms()
  -- Ids can run ahead of the clock: after it was set back, after a failover, or by an XADD with an id of its own.
  -- Never ahead of now: a watermark that has once reached next year closes nothing in order any more.
  local reached = math.min(oldest and split_id(oldest) or now, now) - tonumber(args[2])
  local watermark = tonumber(redis.call('HGET', keys[2], 'watermark_ms') or '0')
  if reached > watermark then
    watermark = reached
    redis.call('HSET', keys[2], 'watermark_ms', whole(watermark))
  end
  local counts = redis.call('HMGET', keys[2], 'deletions', 'series_dropped')
  local is_closer = closing_lease(keys[2], args[3], tonumber(args[4]), args[5], now)
  return {watermark, is_closer, oldest or '', now, tonumber(counts[1] or '0'), tonumber(counts[2] or '0')}
end

redis.register_function({function_name = 'baro_frontier_1', callback = frontier, flags = {'allow-oom'}})
