-- baro_append_1: idempotent append of one batch, a heartbeat or a goodbye of a producer.
-- KEYS events sequence producers epoch liveness
-- ARGV epoch instance seq previous service through_ms mode liveness field value ...
--      mode: batch | heartbeat | goodbye; liveness: JSON text, "" leaves it as it is
--      previous of a heartbeat or goodbye: what the producer has been confirmed, 0 when it does not say
-- Replies {"ok", entry id} | {"dup", last} | {"gap", last} | {"stale", epoch}. Cost: O(1).
-- Not allow-oom: a full server must refuse new events, the producer buffers and counts.
local SEQUENCE_LIFE_S = 86400
local LIVENESS_LIFE_S = 3600
-- Instances that died without a goodbye are never taken off the list; those silent longest are pushed out.
local MOST_INSTANCES = 10000

local function sign_of_life(keys, args, now)
  local instance, service, through, mode, stats = args[2], args[5], args[6], args[7], args[8]
  if mode == 'goodbye' then
    redis.call('ZREM', keys[3], instance)
  else
    redis.call('ZADD', keys[3], 'GT', through, instance)
  end
  redis.call('HSET', keys[5], 'service', service, 'at_ms', whole(now), 'through_ms', through, 'state', mode)
  if stats ~= '' then redis.call('HSET', keys[5], 'stats', stats) end
  redis.call('EXPIRE', keys[5], LIVENESS_LIFE_S)
end

local function append(keys, args)
  local epoch = redis.call('GET', keys[4]) or '0'
  if epoch ~= args[1] then return {'stale', epoch} end
  local wrong_argument = not_whole(args, args[7] == 'batch' and {3, 4, 6} or {6})
  if wrong_argument then return wrong_argument end
  local mode, seq, previous = args[7], tonumber(args[3]), tonumber(args[4])
  if mode ~= 'batch' and mode ~= 'heartbeat' and mode ~= 'goodbye' then return fail('unknown mode ' .. tostring(mode)) end
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'string'}, {keys[3], 'zset'}, {keys[5], 'hash'}})
  if wrong then return fail(wrong) end

  local now = now_ms()
  local last = tonumber(redis.call('GET', keys[2]) or '0')
  if mode ~= 'batch' then
    -- Else a tail lost in a failover would only be missed with the next batch, which may come too late or never.
    if previous and previous > last then return {'gap', whole(last)} end
    redis.call('EXPIRE', keys[2], SEQUENCE_LIFE_S)
    redis.call('ZREMRANGEBYRANK', keys[3], 0, -1 - MOST_INSTANCES)
    sign_of_life(keys, args, now)
    return {'ok', ''}
  end
  if #args < 10 or #args % 2 ~= 0 then return fail('a batch needs pairs of fields and values') end
  if seq <= last then
    sign_of_life(keys, args, now)
    return {'dup', whole(last)}
  end
  if previous ~= last then return {'gap', whole(last)} end
  local id = redis.call('XADD', keys[1], '*', unpack(args, 9))
  redis.call('SET', keys[2], args[3], 'EX', SEQUENCE_LIFE_S)
  sign_of_life(keys, args, now)
  return {'ok', id}
end

redis.register_function('baro_append_1', append)
