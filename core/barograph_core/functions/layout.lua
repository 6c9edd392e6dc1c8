-- The layout of the shards changes in two steps: first every shard's epoch is raised, which makes producers wait, then
-- the layout with that epoch is written.

-- baro_epoch_1: raise a shard's epoch, never lower it.
-- KEYS     epoch
-- ARGV     epoch
-- Replies  the epoch that is stored now
-- Cost     O(1)
local function raise_epoch(keys, args)
  local epoch_key = keys[1]
  local epoch = args[1]
  local problem = not_whole('epoch', epoch)
  if problem then return problem end
  local held = tonumber(redis.call('GET', epoch_key) or '0')
  if held >= tonumber(epoch) then return held end
  redis.call('SET', epoch_key, epoch)
  return tonumber(epoch)
end

redis.register_function('baro_epoch_1', raise_epoch)

-- baro_reopen_1: restore the epoch before an abandoned change, unless a later change has raised it further.
-- KEYS     epoch
-- ARGV     epoch_of_the_change epoch_before
-- Replies  1 | 0
-- Cost     O(1)
local function reopen(keys, args)
  local epoch_key = keys[1]
  local changed, before = args[1], args[2]
  local problem = not_whole('epoch_of_the_change', changed, 'epoch_before', before)
  if problem then return problem end
  if redis.call('GET', epoch_key) ~= changed then return 0 end
  redis.call('SET', epoch_key, before)
  return 1
end

redis.register_function('baro_reopen_1', reopen)

-- baro_layout_1: write the layout by compare-and-set.
-- KEYS     meta
-- ARGV     expected_epoch epoch tags extra then for each pin: service tag
-- Replies  {"ok", epoch} | {"stale", epoch}: another client changed it meanwhile
-- Cost     O(pins)
local FIRST_PIN = 5

local function write_layout(keys, args)
  local meta = keys[1]
  local expected_epoch, epoch, tags, extra = args[1], args[2], args[3], args[4]
  local problem = not_whole('expected_epoch', expected_epoch, 'epoch', epoch) or wrong_type({{meta, 'hash'}})
  if problem then return problem end
  if #args < FIRST_PIN - 1 or #args % 2 ~= 0 then return fail('pins come in pairs of service and tag') end
  local held = redis.call('HGET', meta, 'epoch') or '0'
  if tonumber(held) ~= tonumber(expected_epoch) then return {'stale', held} end
  redis.call('DEL', meta)
  redis.call('HSET', meta, 'epoch', epoch, 'tags', tags, 'extra', extra)
  for at = FIRST_PIN, #args, 2 do
    local service, tag = args[at], args[at + 1]
    redis.call('HSET', meta, 'pin:' .. service, tag)
  end
  return {'ok', epoch}
end

redis.register_function('baro_layout_1', write_layout)
