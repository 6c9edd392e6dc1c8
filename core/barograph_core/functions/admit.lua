-- baro_admit_1: one decision for all workers on which series of a service are kept apart.
-- KEYS series      ARGV cap candidate...      Replies 1 (kept) or 0 (folded into __other__) for each. Cost: O(candidates).
local function admit(keys, args)
  local wrong = wrong_type({{keys[1], 'set'}})
  if wrong then return fail(wrong) end
  local cap, size, verdicts = tonumber(args[1]), redis.call('SCARD', keys[1]), {}
  for i = 2, #args do
    local is_kept = redis.call('SISMEMBER', keys[1], args[i])
    if is_kept == 0 and size < cap then
      is_kept = redis.call('SADD', keys[1], args[i])
      size = size + 1
    end
    verdicts[#verdicts + 1] = is_kept
  end
  return verdicts
end

redis.register_function({function_name = 'baro_admit_1', callback = admit, flags = {'allow-oom'}})
