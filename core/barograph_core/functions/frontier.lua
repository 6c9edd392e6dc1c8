-- baro_frontier_1: the watermark from the log's progress, and who closes.
-- KEYS events progress      ARGV group grace_ms consumer lease_ms
-- Replies {watermark_ms, 1 when this consumer holds the closing lease, id of the oldest entry not committed or "", server time in ms}.
-- The lease only spares the other workers double work; closing itself is compare-and-set. Cost: O(consumers).
local function delivered_id(stream, group)
  local found = redis.pcall('XINFO', 'GROUPS', stream)
  if found.err then return nil end
  for _, flat in ipairs(found) do
    local info = {}
    for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
    if info['name'] == group then return info['last-delivered-id'] end
  end
  return nil
end

local function oldest_unfinished(stream, group, delivered)
  local oldest = redis.call('XPENDING', stream, group)[2]
  local unread = redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1)[1]
  if unread and (not oldest or is_before(unread[1], oldest)) then oldest = unread[1] end
  return oldest
end

local function closing_lease(progress, consumer, lease_ms, now)
  local held = redis.call('HMGET', progress, 'closer', 'closer_until_ms')
  local until_ms = tonumber(held[2] or '0')
  -- A lease that ends later than any can was given before the server's clock was set back.
  if held[1] and held[1] ~= consumer and until_ms > now and until_ms <= now + lease_ms then return 0 end
  redis.call('HSET', progress, 'closer', consumer, 'closer_until_ms', whole(now + lease_ms))
  return 1
end

local function frontier(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {2, 4})
  if wrong_argument then return wrong_argument end
  local delivered = delivered_id(keys[1], args[1])
  if not delivered then return redis.error_reply('NOGROUP no consumer group ' .. args[1] .. ' on ' .. keys[1]) end
  local oldest = oldest_unfinished(keys[1], args[1], delivered)
  local now = now_ms()
  -- Ids can run ahead of the clock: after it was set back, after a failover, or by an XADD with an id of its own.
  -- Never ahead of now: a watermark that has once reached next year closes nothing in order any more.
  local reached = math.min(oldest and split_id(oldest) or now, now) - tonumber(args[2])
  local watermark = tonumber(redis.call('HGET', keys[2], 'watermark_ms') or '0')
  if reached > watermark then
    watermark = reached
    redis.call('HSET', keys[2], 'watermark_ms', whole(watermark))
  end
  return {watermark, closing_lease(keys[2], args[3], tonumber(args[4]), now), oldest or '', now}
end

redis.register_function({function_name = 'baro_frontier_1', callback = frontier, flags = {'allow-oom'}})
