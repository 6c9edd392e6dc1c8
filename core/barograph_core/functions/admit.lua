-- baro_admit_1: one decision for all workers on which series of a service are kept apart.
-- KEYS series (candidate by the time it was last asked for) progress      ARGV cap forget_ms candidate...
-- Replies 1 (kept) or 0 (folded into __other__) for each. Cost: O(candidates * log n).
-- A series that nobody has asked for within forget_ms gives up its place when another needs it: names of instances
-- and versions come and go, and would fill the cap for good. `progress` keeps when that was last: who rebuilds older
-- panes finds other series in the list than were kept then.
local function admit(keys, args)
  local wrong = wrong_type({{keys[1], 'zset'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {1, 2})
  if wrong_argument then return wrong_argument end
  local cap, size, now = tonumber(args[1]), redis.call('ZCARD', keys[1]), now_ms()
  local has_swept, verdicts = false, {}
  for i = 3, #args do
    local is_known = redis.call('ZSCORE', keys[1], args[i])
    if not is_known and size >= cap and not has_swept then
      local freed = redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', '(' .. whole(now - tonumber(args[2])))
      if freed > 0 then redis.call('HSET', keys[2], 'places_freed_ms', whole(now)) end
      size = size - freed
      has_swept = true
    end
    local is_kept = is_known or size < cap
    if is_kept then
      if not is_known then size = size + 1 end
      redis.call('ZADD', keys[1], whole(now), args[i])
    end
    verdicts[#verdicts + 1] = is_kept and 1 or 0
  end
  return verdicts
end

redis.register_function({function_name = 'baro_admit_1', callback = admit, flags = {'allow-oom'}})
