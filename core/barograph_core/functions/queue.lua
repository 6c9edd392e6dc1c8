-- baro_queue_1: move alerts entries to a channel's outbox, or record why they are not sent, and acknowledge them; fenced.
-- KEYS     alerts outbox deliveries channels progress, then for each entry: items waiting told group
--          channels: deliveries of all channels by result; progress: how far the consumer group has finished the stream
-- ARGV     consumer_group consumer keep_ms now_ms n then for each entry, ascending by id:
--          id alert member due_ms item wait_ms interval_ms is_end k field value ... (k counts fields and values)
--          consumer_group: "" when there are no entries to acknowledge; an item that is queued already then stays as it is
--          member: the alert's group in the outbox; item: JSON text, "" when nothing is to be sent
--          wait_ms: "" when the alert is a group of its own, which is due at due_ms. Otherwise how long a new group waits for
--          more alerts; interval_ms: how long after its last message a group waits
--          is_end: 1 when the item ends a firing; a group is due at once when no told alert is left without its end.
--          "flag" when it only shows who has taken the alert on: its group is then due at once for that, and for its next
--          message when it was before
--          fields: a deliveries entry, none when there is nothing to record
--          now_ms: the worker's clock, by which it decides what is due
-- Replies  one for each entry: "ok" | "lost": claimed away, or finished already and read once more from a group that was set
--          back | the group in which items of the alert wait: nothing was done, call again with that one
-- Cost     O(n log n). allow-oom: as baro_transition_1, whose alerts must get out.
local HEAD_KEYS, HEAD_ARGS, ENTRY_KEYS, ENTRY_ARGS = 5, 5, 4, 9
local MOST_FIELDS, MOST_AT_ONCE = 100, 1000

-- Returns the entry whose arguments begin at `at`, or nil and an error reply.
local function parse_entry(keys, args, i, at)
  local entry, first = {}, HEAD_KEYS + (i - 1) * ENTRY_KEYS
  entry.items, entry.waiting, entry.told, entry.group = keys[first + 1], keys[first + 2], keys[first + 3], keys[first + 4]
  entry.id, entry.alert, entry.member, entry.due_ms, entry.item = args[at], args[at + 1], args[at + 2], args[at + 3], args[at + 4]
  entry.wait_ms, entry.interval_ms, entry.is_end = args[at + 5], args[at + 6], args[at + 7] == '1'
  entry.is_flag = args[at + 7] == 'flag'
  entry.is_grouped = entry.wait_ms ~= ''
  if not entry.group then return nil, fail('the entries and their keys do not add up') end
  local problem = wrong_type({{entry.items, 'hash'}})
    or (entry.is_grouped and wrong_type({{entry.waiting, 'set'}, {entry.told, 'zset'}, {entry.group, 'hash'}}))
    or (entry.item ~= '' and not_whole('due_ms', entry.due_ms))
    or (entry.is_grouped and not_whole('wait_ms', entry.wait_ms, 'interval_ms', entry.interval_ms))
  if problem then return nil, problem end
  local k, refused = count_of('k', args[at + 8], math.min(MOST_FIELDS, math.max(#args - at - 8, 0)))
  if refused then return nil, refused end
  if k % 2 ~= 0 then return nil, fail('a field of the deliveries entry lacks its value') end
  entry.noted = slice(args, at + ENTRY_ARGS, at + ENTRY_ARGS - 1 + k)
  return entry
end

local function due_of(entry, now)
  if not entry.is_grouped or entry.is_flag then return tonumber(entry.due_ms) end
  if entry.is_end then
    redis.call('ZADD', entry.told, 'XX', 'inf', entry.alert)
    local count = redis.call('ZCARD', entry.told)
    if count > 0 and redis.call('ZCOUNT', entry.told, '-inf', '(inf') == 0 then return now end
  end
  local sent_ms = tonumber(redis.call('HGET', entry.group, 'sent_ms') or nil)
  if sent_ms then return math.max(now, sent_ms + tonumber(entry.interval_ms)) end
  return now + tonumber(entry.wait_ms)
end

-- Returns the group in which items of the alert wait, or nil when none wait or they wait in the entry's; and the group that
-- the alert was last in, or false when it was by itself.
local function other_group(entry)
  local held = redis.call('HGET', entry.items, GROUP)
  local member = held or entry.alert
  return member ~= entry.member and count_items(entry.items) > 0 and member or nil, held
end

local function put(outbox, entry, held, now)
  local due = due_of(entry, now)
  if entry.is_grouped then
    redis.call('HSET', entry.items, GROUP, entry.member)
    redis.call('SADD', entry.waiting, entry.alert)
    local held = tonumber(redis.call('HGET', entry.group, 'due_ms') or nil)
    if not entry.is_flag and (not held or due < held) then redis.call('HSET', entry.group, 'due_ms', whole(due)) end
    redis.call('PERSIST', entry.group)
    redis.call('PERSIST', entry.told)
  elseif held then
    redis.call('HDEL', entry.items, GROUP)
  end
  redis.call('PERSIST', entry.items)
  -- Sooner, never later: this item may overtake one that waits for another attempt.
  redis.call('ZADD', outbox, 'LT', whole(due), entry.member)
end

local function enqueue(keys, args)
  local alerts, outbox, deliveries, channels, progress = keys[1], keys[2], keys[3], keys[4], keys[5]
  local consumer_group, consumer, keep_ms, now = args[1], args[2], args[3], tonumber(args[4])
  local problem = wrong_type({
    {alerts, 'stream'}, {outbox, 'zset'}, {deliveries, 'stream'}, {channels, 'hash'}, {progress, 'hash'},
  }) or not_whole('keep_ms', keep_ms, 'now_ms', args[4])
    or is_used_up(deliveries)
  if problem then return problem end
  local n, refused = count_of('n', args[HEAD_ARGS], MOST_AT_ONCE)
  if refused then return refused end
  local entries, at, ids = {}, HEAD_ARGS + 1, {}
  for i = 1, n do
    local entry, unreadable = parse_entry(keys, args, i, at)
    if unreadable then return unreadable end
    entries[i], ids[i], at = entry, entry.id, at + ENTRY_ARGS + #entry.noted
  end
  local is_moving, gone, done, replies = consumer_group ~= '', {}, {}, {}
  if is_moving then
    for _, id in ipairs(lost_ids(alerts, consumer_group, consumer, ids)) do gone[id] = true end
    for _, id in ipairs(finished_ids(alerts, progress, consumer_group, ids)) do
      if not gone[id] then redis.call('XACK', alerts, consumer_group, id) end
      gone[id] = true
    end
  end
  for i, entry in ipairs(entries) do
    local other, held
    if entry.item ~= '' then other, held = other_group(entry) end
    if gone[entry.id] then
      replies[i] = 'lost'
    elseif other then
      replies[i] = other
    else
      if entry.item ~= '' and (redis.call(is_moving and 'HSET' or 'HSETNX', entry.items, entry.id, entry.item) == 1 or is_moving) then
        put(outbox, entry, held, now)
      end
      if #entry.noted > 0 then
        add(deliveries, now_ms(), keep_ms, entry.noted)
        count_delivery(channels, entry.noted)
      end
      replies[i], done[#done + 1] = 'ok', entry.id
    end
  end
  if is_moving and #done > 0 then
    redis.call('XACK', alerts, consumer_group, unpack(done))
    note_finished(alerts, progress, consumer_group, done)
  end
  return replies
end

redis.register_function({function_name = 'baro_queue_1', callback = enqueue, flags = {'allow-oom'}})
