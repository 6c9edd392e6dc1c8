-- baro_settle_1: record what became of a digest as a whole, before its alerts are recorded one by one or tried again.
-- KEYS     lease group deliveries channels
-- ARGV     token keep_ms settled attempt handed_over in_doubt retry_ms field value ...
--          settled: JSON text of the result, which the next sender records if this one dies; "" when it is to be tried again
--          attempt: number of attempts so far; handed_over: 1 when the fallback channel has its firings too
--          in_doubt: 1 when it may have arrived: the next attempt then sends the same digest under the same key
--          retry_ms: when it is tried again
--          fields: a deliveries entry, none when there is nothing to record
-- Replies  1 | 0: the lease is lost, and nothing was recorded
-- Cost     O(1). allow-oom: a delivery frees its items.
local FIRST_NOTED = 8

local function settle(keys, args)
  local lease, group, deliveries, channels = keys[1], keys[2], keys[3], keys[4]
  local token, keep_ms, settled, attempt, handed_over, in_doubt, retry_ms = args[1], args[2], args[3], args[4], args[5], args[6], args[7]
  local problem = wrong_type({{lease, 'string'}, {group, 'hash'}, {deliveries, 'stream'}, {channels, 'hash'}})
    or not_whole('keep_ms', keep_ms, 'attempt', attempt, 'retry_ms', retry_ms) or is_used_up(deliveries)
  if problem then return problem end
  local noted = slice(args, FIRST_NOTED, #args)
  if #noted % 2 ~= 0 then return fail('a field of the deliveries entry lacks its value') end
  if redis.call('GET', lease) ~= token then return 0 end
  redis.call('HSET', group, 'attempt', attempt, 'handed_over', handed_over, 'retry_ms', retry_ms)
  if settled ~= '' then redis.call('HSET', group, 'settled', settled) end
  if in_doubt ~= '1' then redis.call('HDEL', group, 'sending') end
  if #noted > 0 then
    add(deliveries, now_ms(), keep_ms, noted)
    count_delivery(channels, noted)
  end
  return 1
end

redis.register_function({function_name = 'baro_settle_1', callback = settle, flags = {'allow-oom'}})
