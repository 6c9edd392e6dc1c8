-- The outbox of a channel: a sorted set of groups (today one alert each) by due time, and for each group one
-- hash `items`: a field for each entry still to be told, named by its entry id, and the fields `memory` and `trying`.
-- The group's items are told in the order of their ids by whoever holds the group's lease.

local MEMORY = 'memory'
local TRYING = 'trying'
-- The longest a transition claims a cooldown key for. A key that lives longer was extended by a delivery.
local LONGEST_CLAIM_MS = 60000

local function count_items(items)
  return redis.call('HLEN', items) - redis.call('HEXISTS', items, MEMORY) - redis.call('HEXISTS', items, TRYING)
end

-- baro_enqueue_1: move one alerts entry, fenced, to a channel's outbox, or note why it is not sent, and acknowledge it.
-- KEYS alerts outbox items deliveries      ARGV group consumer id member due_ms item keep_ms field value ...
--      items: the hash of this member; item: JSON text, "" when nothing is to be sent;
--      fields: a deliveries entry, none when there is nothing to note
-- Replies {"ok"} | {"lost"}. Cost: O(log n).
local function enqueue(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'zset'}, {keys[3], 'hash'}, {keys[4], 'stream'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, args[6] ~= '' and {5, 7} or {7})
  if wrong_argument then return wrong_argument end
  if #args > 7 and (#args - 7) % 2 ~= 0 then return fail('a field of the deliveries entry lacks its value') end
  if #lost_ids(keys[1], args[1], args[2], {args[3]}) > 0 then return {'lost'} end
  if args[6] ~= '' then
    redis.call('HSET', keys[3], args[3], args[6])
    redis.call('PERSIST', keys[3])
    -- Sooner, never later: it may overtake what waits for another attempt.
    redis.call('ZADD', keys[2], 'LT', args[5], args[4])
  end
  if #args > 7 then add(keys[4], now_ms(), args[7], slice(args, 8, #args)) end
  redis.call('XACK', keys[1], args[1], args[3])
  return {'ok'}
end

redis.register_function('baro_enqueue_1', enqueue)

-- baro_attempt_1: note which item is about to be sent; only the holder of the group's lease may send. What is still
-- noted when the next holder comes was sent or not: nobody lived to tell.
-- KEYS items lease      ARGV token id      Replies 1 | 0. Cost: O(1). allow-oom: as baro_delivered_1, which ends it.
local function attempt(keys, args)
  local wrong = wrong_type({{keys[1], 'hash'}, {keys[2], 'string'}})
  if wrong then return fail(wrong) end
  if redis.call('GET', keys[2]) ~= args[1] or redis.call('HEXISTS', keys[1], args[2]) == 0 then return 0 end
  redis.call('HSET', keys[1], TRYING, args[2])
  return 1
end

redis.register_function({function_name = 'baro_attempt_1', callback = attempt, flags = {'allow-oom'}})

-- baro_delivered_1: what became of one item; only the holder of the group's lease may say so.
-- KEYS outbox items deliveries lease dead [cooldown]
-- ARGV token member id result(sent|retry|dead|suppressed) due_ms item memory remember_ms cooldown_ms cooldown_tag
--      keep_ms dead_reason dead_attempts field value ...
--      due_ms: when the group is to be looked at again, if anything is left of it; item: JSON text, written by retry
--      and copied by dead; memory: JSON text; remember_ms: how long it outlives the last item;
--      cooldown_tag: what the key is to hold if its claim has lapsed; fields: a deliveries entry
-- Replies {"ok"} | {"fenced"}. Cost: O(log n). allow-oom: a delivery frees its item.
local function delivered(keys, args)
  local wrong = wrong_type({
    {keys[1], 'zset'}, {keys[2], 'hash'}, {keys[3], 'stream'}, {keys[4], 'string'}, {keys[5], 'stream'},
    keys[6] and {keys[6], 'string'},
  })
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {5, 8, 9, 11})
  if wrong_argument then return wrong_argument end
  if #args < 15 or #args % 2 ~= 1 then return fail('a field of the deliveries entry lacks its value') end
  if redis.call('GET', keys[4]) ~= args[1] then return {'fenced'} end
  if redis.call('HEXISTS', keys[2], args[3]) == 0 then return {'fenced'} end
  local now, result = now_ms(), args[4]
  redis.call('HSET', keys[2], MEMORY, args[7])
  redis.call('HDEL', keys[2], TRYING)
  if result == 'retry' then
    redis.call('HSET', keys[2], args[3], args[6])
  else
    redis.call('HDEL', keys[2], args[3])
  end
  local left = count_items(keys[2])
  if left == 0 then
    redis.call('ZREM', keys[1], args[2])
    redis.call('PEXPIRE', keys[2], args[8])
  else
    -- What came in during the attempt may make its repetition needless: 0 is at once.
    local is_overtaken = result == 'retry' and left > 1
    redis.call('ZADD', keys[1], is_overtaken and 0 or args[5], args[2])
  end
  if result == 'dead' then
    redis.call('XADD', keys[5], 'MAXLEN', '~', DEAD_LENGTH, '*', 'dead_stage', 'notifier', 'dead_reason', args[12],
      'dead_attempts', args[13], 'dead_stream', keys[1], 'dead_id', args[3], 'dead_at_ms', whole(now),
      'notification', args[6])
  end
  if result == 'sent' and keys[6] and tonumber(args[9]) > 0 and redis.call('PTTL', keys[6]) <= LONGEST_CLAIM_MS then
    -- Extends whatever claim there is: from the first delivery on, the full cooldown runs.
    redis.call('SET', keys[6], redis.call('GET', keys[6]) or args[10], 'PX', args[9])
  end
  add(keys[3], now, args[11], slice(args, 14, #args))
  return {'ok'}
end

redis.register_function({function_name = 'baro_delivered_1', callback = delivered, flags = {'allow-oom'}})

-- baro_release_1: give a lease back if it is still ours, and say when its group is to be looked at again.
-- KEYS lease [outbox items]      ARGV token [member due_ms]      Replies 1 | 0. Cost: O(log n).
local function release(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  if keys[3] and args[3] then
    -- An item that came in between counts here, so that its group is never forgotten.
    if count_items(keys[3]) > 0 then
      redis.call('ZADD', keys[2], 'XX', args[3], args[2])
    else
      redis.call('ZREM', keys[2], args[2])
    end
  end
  return redis.call('DEL', keys[1])
end

redis.register_function({function_name = 'baro_release_1', callback = release, flags = {'allow-oom'}})
