-- Returns how many members of a sorted set `service:step_ms:start_ms` are of one service, and the first not in `known`.
local function members_of(queue, service, known)
  local count, unknown, prefix = 0, nil, service .. ':'
  for _, member in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
    if string.sub(member, 1, #prefix) == prefix then
      count = count + 1
      if known and not known[member] then unknown = unknown or member end
    end
  end
  return count, unknown
end

local function count_alerts(state)
  local count = 0
  for _, field in ipairs(redis.call('HKEYS', state)) do
    if string.sub(field, 1, 6) == 'alert:' then count = count + 1 end
  end
  return count
end

-- Deletes the list of series kept apart, and returns how many keys went. A replay of older panes finds other series in
-- the list than were kept then, and says so; workers forget what they were told (frontier.lua) and ask again: without
-- that the places of series they take for admitted would be given away beside them.
local function drop_series(series, progress)
  local gone = redis.call('DEL', series)
  if gone == 1 then
    redis.call('HSET', progress, 'places_freed_ms', whole(now_ms()))
    redis.call('HINCRBY', progress, 'series_dropped', 1)
  end
  return gone
end

local function types_of(keys)
  return wrong_type({
    {keys[1], 'stream'}, {keys[2], 'hash'}, {keys[3], 'zset'}, {keys[4], 'hash'}, {keys[5], 'zset'}, {keys[6], 'zset'},
    {keys[7], 'zset'}, {keys[8], 'hash'}, {keys[9], 'stream'},
  })
end

-- baro_retire_1: a service says goodbye for good: it leaves the lists, and nobody waits for its producers any more.
-- KEYS events closed open progress heard producers series state metrics
-- ARGV group service until_id idle_before_ms metrics_keep_ms
--      until_id: wait until every entry up to it is committed, "" when idle_before_ms decides
--      idle_before_ms: only when neither an event nor a producer was heard of since, and no alert is left; "" likewise
-- Replies {"ok", 1 when it was listed, alerts left in its state} | {"behind", oldest id not committed}
--       | {"open", panes that are still to close} | {"alive"}: idle_before_ms does not hold.
-- The state goes when no alert is left in it. Panes and roll-ups stay until they expire. Cost: O(open panes + alerts).
local function is_idle(keys, service, before)
  local heard = tonumber(redis.call('ZSCORE', keys[5], service) or '0')
  return heard < before and redis.call('ZCOUNT', keys[6], whole(before), '+inf') == 0 and count_alerts(keys[8]) == 0
end

local function is_behind(stream, group, id)
  local info = group_info(stream, group)
  local oldest = info and oldest_unfinished(stream, group, info['last-delivered-id'])
  if oldest and not is_before(id, oldest) then return oldest end
  return nil
end

local function retire(keys, args)
  local wrong = types_of(keys)
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, args[3] == '' and {4, 5} or {5})
  if wrong_argument then return wrong_argument end
  if args[3] ~= '' and not split_id(args[3]) then return fail('until_id must be an entry id') end
  local service = args[2]
  if args[3] == '' then
    if not is_idle(keys, service, tonumber(args[4])) then return {'alive'} end
  else
    local oldest = is_behind(keys[1], args[1], args[3])
    if oldest then return {'behind', oldest} end
  end
  local waiting = members_of(keys[3], service)
  if waiting > 0 then return {'open', waiting} end
  local was_listed = redis.call('HDEL', keys[2], service)
  redis.call('ZREM', keys[5], service)
  redis.call('DEL', keys[6])
  drop_series(keys[7], keys[4])
  local alerts = count_alerts(keys[8])
  if alerts == 0 then redis.call('DEL', keys[8]) end
  if was_listed == 1 then add(keys[9], now_ms(), args[5], {'type', 'retired', 'service', service}) end
  return {'ok', was_listed, alerts}
end

redis.register_function({function_name = 'baro_retire_1', callback = retire, flags = {'allow-oom'}})

-- baro_delete_1: remove every key of a service in one step, and refuse what is still on its way from entries before now.
-- KEYS events closed open rollups progress heard producers series state blocks, then every other key of the service
-- ARGV service, then the members that these other keys were derived from, of open, rollups, blocks and producers
-- Replies {"ok", id of the newest entry that goes with it, keys deleted}
--       | {"changed", member}: another key came into being; look again. Cost: O(open panes + keys).
local HEAD_KEYS = 10

local function delete(keys, args)
  local wrong = wrong_type({
    {keys[1], 'stream'}, {keys[2], 'hash'}, {keys[3], 'zset'}, {keys[4], 'zset'}, {keys[5], 'hash'}, {keys[6], 'zset'},
    {keys[7], 'zset'}, {keys[8], 'zset'}, {keys[9], 'hash'}, {keys[10], 'zset'},
  })
  if wrong then return fail(wrong) end
  local service, known = args[1], {}
  for i = 2, #args do known[args[i]] = true end
  for _, queue in ipairs({keys[3], keys[4]}) do
    local _, unknown = members_of(queue, service, known)
    if unknown then return {'changed', unknown} end
  end
  for _, index in ipairs({keys[7], keys[10]}) do
    for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do
      if not known[member] then return {'changed', member} end
    end
  end

  local latest = redis.call('HGET', keys[5], 'deleted')
  -- An error, which has no pairs, where there is no stream.
  local last = pairs_of(redis.pcall('XINFO', 'STREAM', keys[1]))['last-generated-id'] or '0-0'
  redis.call('HSET', keys[5], 'deleted:' .. service, last, 'deleted', (latest and is_before(last, latest)) and latest or last)
  redis.call('HINCRBY', keys[5], 'deletions', 1)
  redis.call('HDEL', keys[2], service)
  redis.call('ZREM', keys[6], service)
  for member in pairs(known) do
    redis.call('ZREM', keys[3], member)
    redis.call('ZREM', keys[4], member)
  end
  local gone = drop_series(keys[8], keys[5])
  for i = 7, #keys do gone = gone + redis.call('UNLINK', keys[i]) end
  return {'ok', last, gone}
end

redis.register_function({function_name = 'baro_delete_1', callback = delete, flags = {'allow-oom'}})

-- baro_deleted_1: forget that a service was deleted, once no entry from before that is on its way any more.
-- KEYS events closed open progress series state      ARGV group service
-- Replies {"ok"} | {"behind", oldest id not committed}. Cost: O(open panes).
-- The series are asked for before a commit and the alert state is written without knowledge of the deletion: what came
-- late goes now. A service that has come back by then loses nothing: its series are asked for again.
local function deleted(keys, args)
  local wrong = wrong_type({
    {keys[1], 'stream'}, {keys[2], 'hash'}, {keys[3], 'zset'}, {keys[4], 'hash'}, {keys[5], 'zset'}, {keys[6], 'hash'},
  })
  if wrong then return fail(wrong) end
  local service = args[2]
  local id = redis.call('HGET', keys[4], 'deleted:' .. service)
  if not id then return {'ok'} end
  if redis.call('EXISTS', keys[1]) == 1 and not group_info(keys[1], args[1]) then return {'behind', '0-0'} end
  local oldest = is_behind(keys[1], args[1], id)
  if oldest then return {'behind', oldest} end
  redis.call('HDEL', keys[4], 'deleted:' .. service)
  drop_series(keys[5], keys[4])
  local is_back = redis.call('HEXISTS', keys[2], service) == 1 or members_of(keys[3], service) > 0
  if not is_back then redis.call('DEL', keys[6]) end
  for _, field in ipairs(redis.call('HKEYS', keys[4])) do
    if string.sub(field, 1, 8) == 'deleted:' then return {'ok'} end
  end
  redis.call('HDEL', keys[4], 'deleted')
  return {'ok'}
end

redis.register_function({function_name = 'baro_deleted_1', callback = deleted, flags = {'allow-oom'}})

-- baro_purge_1: look for the entries of a service on any stream, and delete them, some hundreds at a time.
-- KEYS stream      ARGV service mode(look|delete) from until count transition...
--      An entry is the service's when its field `service` is exactly that, its field `transition` one of those given, or the
--      alert in its field `notification` (of a dead letter) is. Hints that name other services beside it are not.
-- Replies {id to go on from or "" at the end, entries found, {instance...}, {transition...}, {alert id...}} of those found.
-- Cost: O(count entries).
local function set_of(args, first)
  local set = {}
  for i = first, #args do set[args[i]] = true end
  return set
end

local function list_of(set)
  local list = {}
  for item in pairs(set) do list[#list + 1] = item end
  return list
end

local function service_told(notification)
  local is_read, item = pcall(cjson.decode, notification)
  local entry = is_read and type(item) == 'table' and item.entry
  return type(entry) == 'table' and entry.service or nil
end

local function is_of(fields, service, wanted)
  if fields['service'] == service or wanted[fields['transition'] or false] then return true end
  return fields['notification'] and service_told(fields['notification']) == service
end

local function purge(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {5})
  if wrong_argument then return wrong_argument end
  if args[2] ~= 'look' and args[2] ~= 'delete' then return fail('unknown mode ' .. tostring(args[2])) end
  local wanted = set_of(args, 6)
  local found, seen = {}, {instance = {}, transition = {}, alert_id = {}}
  local page = redis.call('XRANGE', keys[1], args[3], args[4], 'COUNT', args[5])
  for _, entry in ipairs(page) do
    local fields = pairs_of(entry[2])
    if is_of(fields, args[1], wanted) then
      found[#found + 1] = entry[1]
      for name, set in pairs(seen) do
        if fields[name] then set[fields[name]] = true end
      end
    end
  end
  if args[2] == 'delete' and #found > 0 then redis.call('XDEL', keys[1], unpack(found)) end
  local after = #page == tonumber(args[5]) and '(' .. page[#page][1] or ''
  return {after, #found, list_of(seen.instance), list_of(seen.transition), list_of(seen.alert_id)}
end

redis.register_function({function_name = 'baro_purge_1', callback = purge, flags = {'allow-oom'}})
