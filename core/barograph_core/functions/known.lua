-- baro_known_1: list a service whose alerts another program pushes, as if it were a quiet one; note that it was heard of.
-- KEYS     closed progress heard
-- ARGV     service base_step_ms most
--          most: how many services there may be; one that is listed already keeps its place
-- Replies  1 when it is listed, 0 when there is no place
-- Cost     O(log n). allow-oom: as baro_transition_1, which follows; a name is small and their number bounded.
-- A new one begins where the watermark is, so that it closes on from there like any quiet service. One that was retired
-- goes on where it was closed (close.lua).
local MOST_BYTES = 64

local function known(keys, args)
  local closed, progress, heard = keys[1], keys[2], keys[3]
  local service, base_step_ms, most = args[1], args[2], args[3]
  local problem = wrong_type({{closed, 'hash'}, {progress, 'hash'}, {heard, 'zset'}})
    or not_whole('base_step_ms', base_step_ms, 'most', most)
  if problem then return problem end
  if #service > MOST_BYTES or not string.match(service, '^[%w._-]+$') then
    return fail('argument service must be 1 to ' .. MOST_BYTES .. ' of A-Z a-z 0-9 . _ -')
  end
  local step, now = tonumber(base_step_ms), now_ms()
  if step == 0 then return fail('argument base_step_ms must be above 0') end
  if redis.call('HEXISTS', closed, service) == 0 then
    if redis.call('HLEN', closed) >= tonumber(most) then return 0 end
    local field = 'retired:' .. service
    local watermark = counted(redis.call('HGET', progress, 'watermark_ms'))
    local reached = watermark > 0 and math.min(watermark, now) or now
    local through = math.max(reached - reached % step, counted(redis.call('HGET', progress, field)))
    redis.call('HSET', closed, service, whole(through))
    redis.call('HDEL', progress, field)
  end
  redis.call('ZADD', heard, 'GT', whole(now), service)
  return 1
end

redis.register_function({function_name = 'baro_known_1', callback = known, flags = {'allow-oom'}})
