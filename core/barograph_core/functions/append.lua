-- baro_append_1: idempotent append of one batch, a heartbeat or a goodbye of a producer.
-- KEYS events sequence producers epoch liveness
-- ARGV epoch instance seq previous service through_ms mode liveness field value ...
--      mode: batch | heartbeat | goodbye; liveness: JSON text, "" leaves it as it is
-- Replies {"ok", entry id} | {"dup", last} | {"gap", last} | {"stale", epoch}. Cost: O(1).
-- Not allow-oom: a full server must refuse new events, the producer buffers and counts.
local SEQUENCE_LIFE_S = 86400
local LIVENESS_LIFE_S = 3600

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
  local mode, seq, previous, through = args[7], tonumber(args[3]), tonumber(args[4]), tonumber(args[6])
  if not (seq and previous and through) then return fail('seq, previous and through_ms must be numbers') end
  if mode ~= 'batch' and mode ~= 'heartbeat' and mode ~= 'goodbye' then return fail('unknown mode ' .. tostring(mode)) end
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'string'}, {keys[3], 'zset'}, {keys[5], 'hash'}})
  if wrong then return fail(wrong) end

  local now = now_ms()
  if mode ~= 'batch' then
    redis.call('EXPIRE', keys[2], SEQUENCE_LIFE_S)
    sign_of_life(keys, args, now)
    return {'ok', ''}
  end
  if #args < 10 or #args % 2 ~= 0 then return fail('a batch needs pairs of fields and values') end
  local last = tonumber(redis.call('GET', keys[2]) or '0')
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
