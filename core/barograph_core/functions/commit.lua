-- baro_commit_1: fenced commit of partial panes. Either all of it happens or, when another consumer has
-- claimed any of the entries meanwhile, none.
-- KEYS events open progress metrics parts...
-- ARGV group consumer step_ms requests errors keep_ms n id(1..n, ascending) then for each parts key: service start_ms part
--      part: a mark of its own and the packed pane (pane_parts.py)
-- Replies {"ok"} | {"lost", id...} | {"deleted", service, id}: the service was deleted, with its entries up to that id.
-- Cost: O(n + parts).
-- allow-oom: it frees entries; refused, a full server would deadlock the pipeline.
local HINT_EVERY_MS = 50

local function hint(keys, args, services, newest, now)
  local errors = tonumber(args[5])
  local last = tonumber(redis.call('HGET', keys[3], 'advanced_ms') or '0')
  if errors == 0 and now - last < HINT_EVERY_MS then return end
  redis.call('HSET', keys[3], 'advanced_ms', whole(now))
  add(keys[4], now, args[6], {
    'type', 'advanced', 'service', table.concat(services, ','), 'step_ms', args[3], 'start_ms', whole(newest),
    'requests', args[4], 'errors', args[5],
  })
end

-- Returns the reply that names a service among the parts that was deleted after the first entry of the commit came.
local function deleted_service(progress, args, first, first_id)
  local latest = redis.call('HGET', progress, 'deleted')
  if not latest or is_before(latest, first_id) then return nil end
  for at = first, #args, 3 do
    local id = redis.call('HGET', progress, 'deleted:' .. args[at])
    if id and not is_before(id, first_id) then return {'deleted', args[at], id} end
  end
  return nil
end

local function commit(keys, args)
  local wrong_argument = not_whole(args, {3, 4, 5, 6, 7})
  if wrong_argument then return wrong_argument end
  local n = tonumber(args[7])
  local first = 8 + n
  if n == 0 or (#args - first + 1) ~= 3 * (#keys - 4) then
    return fail('each parts key needs service, start_ms and part')
  end
  for at = first + 1, #args, 3 do
    wrong_argument = not_whole(args, {at})
    if wrong_argument then return wrong_argument end
  end
  local wanted = {{keys[2], 'zset'}, {keys[3], 'hash'}, {keys[4], 'stream'}}
  for i = 5, #keys do wanted[#wanted + 1] = {keys[i], 'list'} end
  local wrong = wrong_type(wanted)
  if wrong then return fail(wrong) end
  local ids = slice(args, 8, 7 + n)
  local lost = lost_ids(keys[1], args[1], args[2], ids)
  if #lost > 0 then return {'lost', unpack(lost)} end
  local deleted = deleted_service(keys[3], args, first, ids[1])
  if deleted then return deleted end

  local services, seen, newest = {}, {}, 0
  for i = 5, #keys do
    local at = first + 3 * (i - 5)
    local service, start = args[at], tonumber(args[at + 1])
    redis.call('RPUSH', keys[i], args[at + 2])
    redis.call('ZADD', keys[2], whole(start + tonumber(args[3])), service .. ':' .. args[3] .. ':' .. whole(start))
    if not seen[service] then
      seen[service] = true
      services[#services + 1] = service
    end
    newest = math.max(newest, start)
  end
  redis.call('XACK', keys[1], args[1], unpack(ids))
  redis.call('HINCRBY', keys[3], 'committed', n)
  if #services > 0 then hint(keys, args, services, newest, now_ms()) end
  return {'ok'}
end

redis.register_function({function_name = 'baro_commit_1', callback = commit, flags = {'allow-oom'}})
