-- The way of an item through a channel's outbox (shared_outbox.lua) as notifiers of the version before call it, one item a
-- call: enqueued, attempted, delivered. The present ones are in queue.lua, turns.lua and record.lua.

-- Longest time for which a transition claims a cooldown key. A key that lives longer was extended by a delivery.
local LONGEST_CLAIM_MS = 60000

-- baro_enqueue_1: move one alerts entry to a channel's outbox, or record why it is not sent, and acknowledge it; fenced.
-- KEYS     alerts outbox items deliveries [channels progress]
--          channels: deliveries of all channels by result, where what is recorded here is counted; progress: how far the
--          group has finished the stream, so that it goes on there when it was destroyed or set back
-- ARGV     group consumer id member due_ms item keep_ms field value ...
--          items: the hash of this member; item: JSON text, "" when nothing is to be sent
--          fields: a deliveries entry, none when there is nothing to record
-- Replies  {"ok"} | {"lost"}: claimed away, or finished already and read once more from a group that was set back
-- Cost     O(log n). allow-oom: as baro_transition_1, whose alerts must get out.
local FIRST_NOTED = 8

local function enqueue(keys, args)
  local alerts, outbox, items, deliveries, channels, progress = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local group, consumer, id, member, due_ms, item, keep_ms = args[1], args[2], args[3], args[4], args[5], args[6], args[7]
  local problem = wrong_type({
    {alerts, 'stream'}, {outbox, 'zset'}, {items, 'hash'}, {deliveries, 'stream'}, channels and {channels, 'hash'},
    progress and {progress, 'hash'},
  })
    or not_whole('keep_ms', keep_ms) or (item ~= '' and not_whole('due_ms', due_ms))
  if problem then return problem end
  local noted = slice(args, FIRST_NOTED, #args)
  problem = #noted > 0 and is_used_up(deliveries)
  if problem then return problem end
  if #noted % 2 ~= 0 then return fail('a field of the deliveries entry lacks its value') end
  if #lost_ids(alerts, group, consumer, {id}) > 0 then return {'lost'} end
  if progress and #finished_ids(alerts, progress, group, {id}) > 0 then
    redis.call('XACK', alerts, group, id)
    return {'lost'}
  end
  if item ~= '' then
    redis.call('HSET', items, id, item)
    redis.call('PERSIST', items)
    -- Sooner, never later: this item may overtake one that waits for another attempt.
    redis.call('ZADD', outbox, 'LT', due_ms, member)
  end
  if #noted > 0 then
    add(deliveries, now_ms(), keep_ms, noted)
    count_delivery(channels, noted)
  end
  redis.call('XACK', alerts, group, id)
  if progress then note_finished(alerts, progress, group, {id}) end
  return {'ok'}
end

redis.register_function({function_name = 'baro_enqueue_1', callback = enqueue, flags = {'allow-oom'}})

-- baro_attempt_1: record which item is about to be sent; only the holder of the group's lease may send.
-- KEYS     items lease
-- ARGV     token id
-- Replies  1 | 0
-- Cost     O(1). allow-oom: as baro_delivered_1, which ends the attempt.
local function attempt(keys, args)
  local items, lease = keys[1], keys[2]
  local token, id = args[1], args[2]
  local problem = wrong_type({{items, 'hash'}, {lease, 'string'}})
  if problem then return problem end
  if redis.call('GET', lease) ~= token or redis.call('HEXISTS', items, id) == 0 then return 0 end
  redis.call('HSET', items, TRYING, id)
  return 1
end

redis.register_function({function_name = 'baro_attempt_1', callback = attempt, flags = {'allow-oom'}})

-- baro_delivered_1: record the result of one attempt; only the holder of the group's lease may do so.
-- KEYS     outbox items deliveries lease dead [cooldown [channels]]
-- ARGV     token member id result(sent|retry|dead|suppressed) due_ms item memory remember_ms cooldown_ms cooldown_tag
--          keep_ms dead_reason dead_attempts field value ...
--          due_ms: time of the group's next attempt if items are left; item: JSON text, stored by retry and copied by dead
--          memory: JSON text; remember_ms: how long it outlives the last item
--          cooldown_tag: "severity:cooldown_ms:episode_ms" of a firing, "resolved" or "unchanged": the key is then the
--          hash of quiet channels; else, from notifiers of the version before, the value of the string if its claim has expired
--          fields: a deliveries entry, which names the channel
-- Replies  {"ok"} | {"fenced"}
-- Cost     O(log n). allow-oom: a delivery frees its item.
local FIRST_FIELD = 14

local function extend_cooldown(cooldown, tag, cooldown_ms)
  if not cooldown or tonumber(cooldown_ms) == 0 or redis.call('PTTL', cooldown) > LONGEST_CLAIM_MS then return end
  -- Extend any claim there is: the full cooldown runs from the first delivery on.
  redis.call('SET', cooldown, redis.call('GET', cooldown) or tag, 'PX', cooldown_ms)
end

local function delivered(keys, args)
  local outbox, items, deliveries, lease, dead, cooldown = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local channels = keys[7]
  local token, member, id, result, due_ms, item, memory = args[1], args[2], args[3], args[4], args[5], args[6], args[7]
  local remember_ms, cooldown_ms, cooldown_tag, keep_ms = args[8], args[9], args[10], args[11]
  local dead_reason, dead_attempts = args[12], args[13]
  local is_by_channel = cooldown_tag == 'resolved' or cooldown_tag == 'unchanged' or parse_quiet_tag(cooldown_tag or '')
  local problem = wrong_type({
    {outbox, 'zset'}, {items, 'hash'}, {deliveries, 'stream'}, {lease, 'string'}, {dead, 'stream'},
    cooldown and {cooldown, is_by_channel and 'hash' or 'string'}, channels and {channels, 'hash'},
  }) or not_whole('due_ms', due_ms, 'remember_ms', remember_ms, 'cooldown_ms', cooldown_ms, 'keep_ms', keep_ms)
    or is_used_up(deliveries, result == 'dead' and dead or nil)
  if problem then return problem end
  local fields = slice(args, FIRST_FIELD, #args)
  if #fields < 2 or #fields % 2 ~= 0 then return fail('a field of the deliveries entry lacks its value') end
  if redis.call('GET', lease) ~= token or redis.call('HEXISTS', items, id) == 0 then return {'fenced'} end
  local now = now_ms()
  redis.call('HSET', items, MEMORY, memory)
  redis.call('HDEL', items, TRYING)
  if result == 'retry' then
    redis.call('HSET', items, id, item)
  else
    redis.call('HDEL', items, id)
  end
  local left = count_items(items)
  if left == 0 then
    redis.call('ZREM', outbox, member)
    redis.call('PEXPIRE', items, remember_ms)
  else
    -- If more items arrived during the attempt, plan again at once (due 0): the retry may not be needed.
    local is_overtaken = result == 'retry' and left > 1
    redis.call('ZADD', outbox, is_overtaken and 0 or due_ms, member)
  end
  if result == 'dead' then
    redis.call('XADD', dead, 'MAXLEN', '~', DEAD_LENGTH, '*', 'dead_stage', 'notifier', 'dead_reason', dead_reason,
      'dead_attempts', dead_attempts, 'dead_stream', outbox, 'dead_id', id, 'dead_at_ms', whole(now),
      'notification', item)
  end
  if is_by_channel then
    if cooldown and result == 'sent' and cooldown_tag ~= 'unchanged' then note_quiet(cooldown, value_of(fields, 'channel'), cooldown_tag, cooldown_ms, now) end
  elseif result == 'sent' then
    extend_cooldown(cooldown, cooldown_tag, cooldown_ms)
  end
  add(deliveries, now, keep_ms, fields)
  count_delivery(channels, fields)
  return {'ok'}
end

redis.register_function({function_name = 'baro_delivered_1', callback = delivered, flags = {'allow-oom'}})
