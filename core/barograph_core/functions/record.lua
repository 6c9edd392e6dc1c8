-- baro_record_1: record the results of attempts and suppressions; only the holder of a group's lease may do so.
-- KEYS     outbox deliveries dead channels, then for each result: lease items quiet waiting told
--          channels: deliveries of all channels by result; quiet: the alert's quiet channels
-- ARGV     token keep_ms n then for each result: member alert id result(sent|retry|held|dead|suppressed) due_ms item memory
--          remember_ms cooldown_ms tag dead_reason dead_attempts told ends k field value ... (k counts fields and values)
--          member: the alert's group; item: JSON text, stored by retry and held, copied by dead
--          due_ms: time of the group's next look if items are left; memory: JSON text; remember_ms: how long it outlives
--          the last item
--          tag: "severity:cooldown_ms:episode_ms" of a firing that was sent, "resolved" or "unchanged": for the quiet channels
--          told: "" for an alert that is a group of its own. In a group of several: when the alert is repeated, "never" when it
--          is not, "over" when there is nothing to repeat or to end, "same" to leave it
--          ends: 1 to give the lease back too
--          fields: a deliveries entry, which names the channel
-- Replies  1 or 0 for each result; 0: the lease is lost, or the item is gone, and nothing was recorded
-- Cost     O(n log n). allow-oom: a delivery frees its item.
local HEAD_KEYS, HEAD_ARGS, RESULT_KEYS = 4, 3, 5
local NAMES = {
  'member', 'alert', 'id', 'result', 'due_ms', 'item', 'memory', 'remember_ms', 'cooldown_ms', 'tag', 'dead_reason',
  'dead_attempts', 'told', 'ends', 'k',
}
local MOST_FIELDS = 100

-- Returns the result whose arguments begin at `at`, or nil and an error reply.
local function parse_result(keys, args, i, at)
  local result, first = {}, HEAD_KEYS + (i - 1) * RESULT_KEYS
  for offset, name in ipairs(NAMES) do result[name] = args[at + offset - 1] end
  result.lease, result.items, result.quiet = keys[first + 1], keys[first + 2], keys[first + 3]
  result.waiting, result.told_key = keys[first + 4], keys[first + 5]
  if not result.told_key then return nil, fail('the results and their keys do not add up') end
  local told = result.told
  local problem = wrong_type({
    {result.lease, 'string'}, {result.items, 'hash'}, result.tag ~= 'unchanged' and {result.quiet, 'hash'} or nil,
  }) or (told ~= '' and wrong_type({{result.waiting, 'set'}, {result.told_key, 'zset'}}))
    or not_whole('due_ms', result.due_ms, 'remember_ms', result.remember_ms, 'cooldown_ms', result.cooldown_ms)
    or (told ~= '' and told ~= 'never' and told ~= 'over' and told ~= 'same' and not_whole('told', told))
  if problem then return nil, problem end
  local k, refused = count_of('k', result.k, math.min(MOST_FIELDS, math.max(#args - at - #NAMES + 1, 0)))
  if refused then return nil, refused end
  if k < 2 or k % 2 ~= 0 then return nil, fail('a field of the deliveries entry lacks its value') end
  result.fields = slice(args, at + #NAMES, at + #NAMES - 1 + k)
  return result
end

-- Keeps the lists of a group of several.
local function note_told(result, left)
  if left == 0 then redis.call('SREM', result.waiting, result.alert) end
  if result.told == 'over' then
    redis.call('ZREM', result.told_key, result.alert)
    if left == 0 then redis.call('HDEL', result.items, GROUP) end
  elseif result.told ~= 'same' then
    redis.call('ZADD', result.told_key, result.told == 'never' and whole(NEVER) or result.told, result.alert)
  end
end

local function record_one(outbox, deliveries, dead, channels, token, keep_ms, now, result)
  local items, id = result.items, result.id
  if redis.call('GET', result.lease) ~= token or redis.call('HEXISTS', items, id) == 0 then return 0 end
  redis.call('HSET', items, MEMORY, result.memory)
  local stays = result.result == 'retry' or result.result == 'held'
  if stays then
    redis.call('HSET', items, id, result.item)
    redis.call('HDEL', items, TRYING)
  else
    redis.call('HDEL', items, id, TRYING)
  end
  local left = count_items(items)
  if left == 0 then redis.call('PEXPIRE', items, result.remember_ms) end
  if result.told ~= '' then
    note_told(result, left)
  elseif left == 0 then
    redis.call('ZREM', outbox, result.member)
  else
    -- If more items arrived during the attempt, plan again at once (due 0): the retry may not be needed.
    local is_overtaken = stays and left > 1
    redis.call('ZADD', outbox, is_overtaken and 0 or result.due_ms, result.member)
  end
  if result.result == 'dead' then
    redis.call('XADD', dead, 'MAXLEN', '~', DEAD_LENGTH, '*', 'dead_stage', 'notifier', 'dead_reason', result.dead_reason,
      'dead_attempts', result.dead_attempts, 'dead_stream', outbox, 'dead_id', id, 'dead_at_ms', whole(now),
      'notification', result.item)
  end
  if result.tag ~= 'unchanged' and result.result == 'sent' then
    note_quiet(result.quiet, value_of(result.fields, 'channel'), result.tag, result.cooldown_ms, now)
  end
  add(deliveries, now, keep_ms, result.fields)
  count_delivery(channels, result.fields)
  if result.ends == '1' then redis.call('DEL', result.lease) end
  return 1
end

local function record(keys, args)
  local outbox, deliveries, dead, channels = keys[1], keys[2], keys[3], keys[4]
  local token, keep_ms = args[1], args[2]
  local problem = not_whole('keep_ms', keep_ms) or wrong_type({
    {outbox, 'zset'}, {deliveries, 'stream'}, {dead, 'stream'}, {channels, 'hash'},
  }) or is_used_up(deliveries, dead)
  if problem then return problem end
  local n, refused = count_of('n', args[HEAD_ARGS], MOST_ENTRIES)
  if refused then return refused end
  local results, at = {}, HEAD_ARGS + 1
  for i = 1, n do
    local result, unreadable = parse_result(keys, args, i, at)
    if unreadable then return unreadable end
    results[i], at = result, at + #NAMES + #result.fields
  end
  local now, flags = now_ms(), {}
  for i, result in ipairs(results) do
    flags[i] = record_one(outbox, deliveries, dead, channels, token, keep_ms, now, result)
  end
  return flags
end

redis.register_function({function_name = 'baro_record_1', callback = record, flags = {'allow-oom'}})
