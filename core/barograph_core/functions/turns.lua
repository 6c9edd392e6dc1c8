-- A sender's turn: it takes the leases of groups that are due, records what it is about to send, prolongs the leases while a
-- channel takes its time, and finishes. Only the holder of a group's lease sends for it. Times are of the sender's clock.

-- baro_take_1: take the leases of groups that are due, and return what is known of each.
-- KEYS     outbox hold, then for each group: lease items waiting told group
--          hold: until when the channel's target asked to be left alone, in ms; items: of the alert of the group's name
-- ARGV     token lease_ms now_ms most then the name of each group
--          most: how many groups to take; a lease that the token holds already is taken again
-- Replies  {hold: ms until the target may be asked again, 0 at once}, then for each group taken
--          {name, HGETALL items, SMEMBERS waiting, {alert told and due for a repetition...}, alerts told that have no end,
--          HGETALL group}
-- Cost     O(groups + what is replied). allow-oom: it leads to deliveries, which free memory.
-- A group that is taken is due again when its lease ends, so that a sender's death delays it by that much and no more.
local HEAD_KEYS, GROUP_KEYS, HEAD_ARGS = 2, 5, 4
local MOST_GROUPS = 1000

local function row_of(name, items, waiting, told, group, now, is_of_several)
  local fields = redis.call('HGETALL', items)
  if not is_of_several then return {name, fields, {}, {}, 0, {}} end
  local due = redis.call('ZRANGEBYSCORE', told, '-inf', whole(now), 'LIMIT', 0, 1)
  -- When one is due, all are repeated: one message instead of many.
  local repeated = #due > 0 and redis.call('ZRANGEBYSCORE', told, '-inf', '(' .. whole(NEVER)) or {}
  local firing = redis.call('ZCOUNT', told, '-inf', '(inf')
  local row = {
    name, fields, redis.call('SMEMBERS', waiting), repeated, firing, redis.call('HGETALL', group),
  }
  redis.call('HDEL', group, 'due_ms')
  return row
end

local function take(keys, args)
  local outbox, hold = keys[1], keys[2]
  local token, lease_ms, now, most = args[1], args[2], tonumber(args[3]), tonumber(args[4])
  local problem = not_whole('lease_ms', lease_ms, 'now_ms', args[3], 'most', args[4])
    or wrong_type({{outbox, 'zset'}, {hold, 'string'}})
  if problem then return problem end
  if #args - HEAD_ARGS > MOST_GROUPS or #keys - HEAD_KEYS ~= GROUP_KEYS * (#args - HEAD_ARGS) then
    return fail('the groups and their keys do not add up')
  end
  local held_until = tonumber(redis.call('GET', hold) or nil)
  if held_until and held_until > now then return {whole(held_until - now)} end
  local reply = {'0'}
  for i = 1, #args - HEAD_ARGS do
    if #reply > most then break end
    local name, at = args[HEAD_ARGS + i], HEAD_KEYS + (i - 1) * GROUP_KEYS
    local lease, items, waiting, told, group = keys[at + 1], keys[at + 2], keys[at + 3], keys[at + 4], keys[at + 5]
    -- A key of another type is left alone: it must not keep the other groups from their turn.
    local is_of_several = redis.call('EXISTS', waiting, told, group) > 0
    local is_whole = not wrong_type({{lease, 'string'}, {items, 'hash'}})
      and not (is_of_several and wrong_type({{waiting, 'set'}, {told, 'zset'}, {group, 'hash'}}))
    local is_taken = is_whole and redis.call('SET', lease, token, 'NX', 'PX', lease_ms)
    if is_whole and not is_taken and redis.call('GET', lease) == token then
      is_taken = redis.call('PEXPIRE', lease, lease_ms)
    end
    local left_ms = is_taken and tonumber(lease_ms) or is_whole and math.max(redis.call('PTTL', lease), 1) or 1000
    redis.call('ZADD', outbox, 'XX', whole(now + left_ms), name)
    if is_taken then reply[#reply + 1] = row_of(name, items, waiting, told, group, now, is_of_several) end
  end
  return reply
end

redis.register_function({function_name = 'baro_take_1', callback = take, flags = {'allow-oom'}})

-- baro_begin_1: record which items are about to be sent.
-- KEYS     group, then for each item: lease items
-- ARGV     token digest_key then the id of each item
--          digest_key: "" for items that are sent one by one, "more" for those of a digest; with its last items the digest's
--          key, and it is under way from now on
-- Replies  1 or 0 for each item; 0: the lease is lost, or the item is gone, so it must not be sent
-- Cost     O(items). allow-oom: as baro_record_1, which ends the attempt.
local function begin(keys, args)
  local group = keys[1]
  local token, digest_key = args[1], args[2]
  if #keys - 1 ~= 2 * (#args - 2) then return fail('the items and their keys do not add up') end
  local problem = wrong_type({{group, 'hash'}})
  if problem then return problem end
  for i = 2, #keys, 2 do
    problem = wrong_type({{keys[i], 'string'}, {keys[i + 1], 'hash'}})
    if problem then return problem end
  end
  local flags, is_whole = {}, true
  for i = 3, #args do
    local lease, items = keys[2 * (i - 2)], keys[2 * (i - 2) + 1]
    local is_ours = redis.call('GET', lease) == token and redis.call('HEXISTS', items, args[i]) == 1
    if is_ours then redis.call('HSET', items, TRYING, (digest_key == '' and '' or IN_DIGEST) .. args[i]) end
    flags[#flags + 1], is_whole = is_ours and 1 or 0, is_whole and is_ours
  end
  if digest_key ~= '' and digest_key ~= 'more' and is_whole then redis.call('HSET', group, 'sending', digest_key) end
  return flags
end

redis.register_function({function_name = 'baro_begin_1', callback = begin, flags = {'allow-oom'}})

-- baro_extend_1: prolong leases.
-- KEYS     outbox, then the lease of each group
-- ARGV     token lease_ms now_ms then the name of each group
-- Replies  1 or 0 for each group; 0: the lease is lost
-- Cost     O(groups log n). allow-oom: it writes nothing that was not there.
local function extend(keys, args)
  local outbox, token, lease_ms = keys[1], args[1], args[2]
  local problem = wrong_type({{outbox, 'zset'}}) or not_whole('lease_ms', lease_ms, 'now_ms', args[3])
  if problem then return problem end
  if #keys - 1 ~= #args - 3 then return fail('the groups and their keys do not add up') end
  local flags = {}
  for i = 2, #keys do
    local is_ours = redis.pcall('GET', keys[i]) == token
    if is_ours then
      redis.call('PEXPIRE', keys[i], lease_ms)
      redis.call('ZADD', outbox, 'XX', whole(tonumber(args[3]) + tonumber(lease_ms)), args[2 + i])
    end
    flags[#flags + 1] = is_ours and 1 or 0
  end
  return flags
end

redis.register_function({function_name = 'baro_extend_1', callback = extend, flags = {'allow-oom'}})

-- baro_finish_1: end a turn: give the lease back, and set when the group is due again.
-- KEYS     outbox lease items waiting told group
-- ARGV     token name is_grouped due_ms sent_ms clears keep_ms now_ms then alerts that are no longer of the group
--          due_ms: when what still waits is due; sent_ms: time of the message that was sent, "" when none was
--          clears: 1 when no digest is under way any more, or no attempt on the one alert; keep_ms: how long a group is kept in which nothing happens
-- Replies  1 | 0: the lease is lost, and nothing was done
-- Cost     O(alerts + log n). allow-oom: it frees memory.
local FINISH_ARGS = 8

-- Returns when the group is due again, or nil.
local function next_due(waiting, told, group, due_ms, now)
  local times, is_waiting = {}, redis.call('SCARD', waiting) > 0
  if is_waiting then
    local asked = redis.call('HGET', group, 'due_ms')
    times[1] = math.min(tonumber(asked or nil) or NEVER, tonumber(due_ms))
    redis.call('HSET', group, 'due_ms', whole(times[1]))
  end
  local first = redis.call('ZRANGE', told, 0, 0, 'WITHSCORES')
  local repeat_ms = first[2] and tonumber(first[2]) or NEVER
  -- A repetition that is due already is one of those that wait.
  if repeat_ms < NEVER and (repeat_ms > now or not is_waiting) then times[#times + 1] = repeat_ms end
  return #times > 0 and math.min(unpack(times)) or nil
end

local function finish(keys, args)
  local outbox, lease, items, waiting, told, group = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local token, name, is_grouped, due_ms, sent_ms = args[1], args[2], args[3], args[4], args[5]
  local clears, keep_ms, now = args[6], args[7], args[8]
  local problem = wrong_type({
    {outbox, 'zset'}, {lease, 'string'}, {items, 'hash'}, {waiting, 'set'}, {told, 'zset'}, {group, 'hash'},
  }) or not_whole('due_ms', due_ms, 'keep_ms', keep_ms, 'now_ms', now) or (sent_ms ~= '' and not_whole('sent_ms', sent_ms))
  if problem then return problem end
  if redis.call('GET', lease) ~= token then return 0 end
  if is_grouped ~= '1' and clears == '1' then redis.call('HDEL', items, TRYING) end
  local due = count_items(items) > 0 and tonumber(due_ms) or nil
  if is_grouped == '1' then
    for i = FINISH_ARGS + 1, #args do
      redis.call('SREM', waiting, args[i])
      redis.call('ZREM', told, args[i])
    end
    if sent_ms ~= '' then redis.call('HSET', group, 'sent_ms', sent_ms) end
    if clears == '1' then redis.call('HDEL', group, 'sending', 'settled', 'attempt', 'handed_over', 'retry_ms') end
    due = next_due(waiting, told, group, due_ms, tonumber(now))
    if redis.call('SCARD', waiting) == 0 and redis.call('ZCARD', told) == 0 then
      redis.call('DEL', group)
    else
      -- Ends what an alert would leave behind whose service was deleted.
      redis.call('PEXPIRE', group, keep_ms)
      redis.call('PEXPIRE', told, keep_ms)
    end
  end
  -- Count in this step: an item that came in meanwhile must not lose its group's place in the outbox.
  if due then redis.call('ZADD', outbox, whole(due), name) else redis.call('ZREM', outbox, name) end
  redis.call('DEL', lease)
  return 1
end

redis.register_function({function_name = 'baro_finish_1', callback = finish, flags = {'allow-oom'}})
