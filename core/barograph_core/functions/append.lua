-- baro_append_1: idempotent append of batches, a heartbeat or a goodbye of a producer.
-- KEYS events sequence producers epoch liveness
-- ARGV epoch instance seq previous service through_ms mode liveness batches field value ...
--      mode: batch | heartbeat | goodbye; liveness: JSON text, "" leaves it as it is
--      batches: how many, 0 unless mode is batch; each becomes one entry of equally many fields. The first has
--      number seq, the others the numbers after it: all are appended, or none.
--      previous of a heartbeat or goodbye: what the producer has been confirmed, 0 when it does not say
-- Replies {"ok", newest entry id} | {"dup", last} | {"gap", last} | {"stale", epoch}. Cost: O(batches).
-- Not allow-oom: a full server must refuse new events, the producer buffers and counts.
local SEQUENCE_LIFE_S = 86400
local LIVENESS_LIFE_S = 3600
-- Instances that died without a goodbye are never taken off the list; those silent longest are pushed out.
local MOST_INSTANCES = 10000
local MOST_BATCHES = 64
-- Of a clock that runs ahead no more is believed: its producer's death would go unseen for as long as it was wrong.
local MOST_AHEAD_MS = 5000
local FIRST_FIELD = 10

local function sign_of_life(keys, args, now)
  local instance, service, through, mode, stats = args[2], args[5], args[6], args[7], args[8]
  if mode == 'goodbye' then
    redis.call('ZREM', keys[3], instance)
  else
    redis.call('ZADD', keys[3], 'GT', whole(math.min(tonumber(through), now + MOST_AHEAD_MS)), instance)
  end
  redis.call('HSET', keys[5], 'service', service, 'at_ms', whole(now), 'through_ms', through, 'state', mode)
  if stats ~= '' then redis.call('HSET', keys[5], 'stats', stats) end
  redis.call('EXPIRE', keys[5], LIVENESS_LIFE_S)
end

local function append(keys, args)
  local epoch = redis.call('GET', keys[4]) or '0'
  if epoch ~= args[1] then return {'stale', epoch} end
  local wrong_argument = not_whole(args, args[7] == 'batch' and {3, 4, 6, 9} or {6})
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
  local batches = tonumber(args[9])
  if batches < 1 or batches > MOST_BATCHES then return fail('1 to ' .. MOST_BATCHES .. ' batches, not ' .. args[9]) end
  local width = (#args - FIRST_FIELD + 1) / batches
  if width < 2 or width % 2 ~= 0 then return fail('each batch needs equally many pairs of fields and values') end
  local newest = seq + batches - 1
  if seq <= last then
    -- Of batches that are here in part, nothing may be said to be shipped that is not.
    if newest <= last then sign_of_life(keys, args, now) end
    return {'dup', whole(last)}
  end
  if previous ~= last then return {'gap', whole(last)} end
  local id
  for first = FIRST_FIELD, #args, width do
    id = redis.call('XADD', keys[1], '*', unpack(args, first, first + width - 1))
  end
  redis.call('SET', keys[2], whole(newest), 'EX', SEQUENCE_LIFE_S)
  sign_of_life(keys, args, now)
  return {'ok', id}
end

redis.register_function('baro_append_1', append)
