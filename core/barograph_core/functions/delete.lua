-- baro_delete_1: delete every key of a service in one step, and from now on refuse commits of its earlier entries.
-- KEYS     events closed open rollups progress heard producers series state blocks, then every other key of the service
-- ARGV     service, then the members of open, rollups, blocks and producers from which these other keys were derived
-- Replies  {"ok", id of the newest entry that is deleted with it, keys deleted}
--          | {"changed", member}: another key was written meanwhile; list the keys again
-- Cost     O(open panes + keys). allow-oom: it frees memory.
local FIRST_OWN = 7

local function unknown_member(queues, indexes, service, known)
  for _, queue in ipairs(queues) do
    local _, unknown = members_of(queue, service, known)
    if unknown then return unknown end
  end
  for _, index in ipairs(indexes) do
    for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do
      if not known[member] then return member end
    end
  end
  return nil
end

local function delete(keys, args)
  local events, closed, open, rollups, progress, heard = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local producers, series, state, blocks = keys[7], keys[8], keys[9], keys[10]
  local service, known = args[1], {}
  local problem = wrong_type({
    {events, 'stream'}, {closed, 'hash'}, {open, 'zset'}, {rollups, 'zset'}, {progress, 'hash'}, {heard, 'zset'},
    {producers, 'zset'}, {series, 'zset'}, {state, 'hash'}, {blocks, 'zset'},
  })
  if problem then return problem end
  for i = 2, #args do known[args[i]] = true end
  local unknown = unknown_member({open, rollups}, {producers, blocks}, service, known)
  if unknown then return {'changed', unknown} end

  local latest = held_id(progress, 'deleted')
  -- Without a stream XINFO returns an error, which has no pairs.
  local last = pairs_of(redis.pcall('XINFO', 'STREAM', events))['last-generated-id'] or '0-0'
  redis.call('HSET', progress, 'deleted:' .. service, last, 'deleted', (latest and is_before(last, latest)) and latest or last)
  increase(progress, 'deletions', 1)
  redis.call('HDEL', progress, 'retired:' .. service)
  redis.call('HDEL', closed, service)
  redis.call('ZREM', heard, service)
  for member in pairs(known) do
    redis.call('ZREM', open, member)
    redis.call('ZREM', rollups, member)
  end
  local gone = drop_series(series, progress)
  for i = FIRST_OWN, #keys do gone = gone + redis.call('UNLINK', keys[i]) end
  return {'ok', last, gone}
end

redis.register_function({function_name = 'baro_delete_1', callback = delete, flags = {'allow-oom'}})

-- baro_deleted_1: forget that a service was deleted, once all entries from before the deletion are finished.
-- KEYS     events closed open progress series state
-- ARGV     group service
-- Replies  {"ok"} | {"behind", oldest id not committed}
-- Cost     O(open panes). allow-oom: it frees memory.
-- Also deletes the service's series and alert state once more: workers ask for series before they commit, and the alerter
-- writes state, without knowing of the deletion. A service that has come back by then loses nothing: its series are asked
-- for again.
local function deleted(keys, args)
  local events, closed, open, progress, series, state = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local group, service = args[1], args[2]
  local problem = wrong_type({
    {events, 'stream'}, {closed, 'hash'}, {open, 'zset'}, {progress, 'hash'}, {series, 'zset'}, {state, 'hash'},
  })
  if problem then return problem end
  local id = held_id(progress, 'deleted:' .. service)
  if not id then return {'ok'} end
  if redis.call('EXISTS', events) == 1 and not group_info(events, group) then return {'behind', '0-0'} end
  local oldest = is_behind(events, group, id)
  if oldest then return {'behind', oldest} end
  redis.call('HDEL', progress, 'deleted:' .. service)
  drop_series(series, progress)
  local is_back = redis.call('HEXISTS', closed, service) == 1 or members_of(open, service) > 0
  if not is_back then redis.call('DEL', state) end
  for _, field in ipairs(redis.call('HKEYS', progress)) do
    if string.sub(field, 1, 8) == 'deleted:' then return {'ok'} end
  end
  redis.call('HDEL', progress, 'deleted')
  return {'ok'}
end

redis.register_function({function_name = 'baro_deleted_1', callback = deleted, flags = {'allow-oom'}})
