-- baro_admit_1: decide for all workers which series of a service are kept apart.
-- KEYS     series progress
--          series: each candidate by the time of its last request
-- ARGV     cap forget_ms candidate...
-- Replies  1 (kept) or 0 (folded into __other__) for each candidate
-- Cost     O(candidates * log n)
-- A series that was not requested within forget_ms gives up its place when another needs one: names of instances and
-- versions come and go, and would fill the cap for good. `progress` keeps the time of the last such loss: a replay of
-- older panes then finds other series in the list than were kept at their time.
local function admit(keys, args)
  local series, progress = keys[1], keys[2]
  local cap, forget_ms = args[1], args[2]
  local problem = wrong_type({{series, 'zset'}, {progress, 'hash'}}) or not_whole('cap', cap, 'forget_ms', forget_ms)
  if problem then return problem end
  local size, now = redis.call('ZCARD', series), now_ms()
  local has_swept, verdicts = false, {}
  for i = 3, #args do
    local candidate = args[i]
    local is_known = redis.call('ZSCORE', series, candidate)
    if not is_known and size >= tonumber(cap) and not has_swept then
      local freed = redis.call('ZREMRANGEBYSCORE', series, '-inf', '(' .. whole(now - tonumber(forget_ms)))
      if freed > 0 then redis.call('HSET', progress, 'places_freed_ms', whole(now)) end
      size = size - freed
      has_swept = true
    end
    local is_kept = is_known or size < tonumber(cap)
    if is_kept then
      if not is_known then size = size + 1 end
      redis.call('ZADD', series, whole(now), candidate)
    end
    verdicts[#verdicts + 1] = is_kept and 1 or 0
  end
  return verdicts
end

redis.register_function({function_name = 'baro_admit_1', callback = admit, flags = {'allow-oom'}})
