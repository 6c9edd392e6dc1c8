-- baro_commit_1: commit partial panes and acknowledge their entries, fenced: when another consumer has claimed any of the
-- entries meanwhile, nothing is written.
-- KEYS     events open progress metrics parts...
-- ARGV     group consumer step_ms requests errors keep_ms n id(1..n, ascending) then for each parts key: service start_ms part
--          part: a mark of its own and the packed pane (store/parts.py)
-- Replies  {"ok"} | {"lost", id...}: claimed away, or finished already and read once more from a group that was set back
--          | {"deleted", service, id}: the service was deleted, with its entries up to that id
-- Cost     O(n + parts). allow-oom: it frees entries; if a full server refused it, the pipeline would deadlock.
local HEAD_KEYS, HEAD_ARGS, PART_ARGS = 4, 7, 3
local HINT_EVERY_MS = 50

local function hint(keys, args, services, newest, now)
  local progress, metrics = keys[3], keys[4]
  local step_ms, requests, errors, keep_ms = args[3], args[4], args[5], args[6]
  local last = counted(redis.call('HGET', progress, 'advanced_ms'))
  if tonumber(errors) == 0 and now - last < HINT_EVERY_MS then return end
  redis.call('HSET', progress, 'advanced_ms', whole(now))
  add(metrics, now, keep_ms, {
    'type', 'advanced', 'service', table.concat(services, ','), 'step_ms', step_ms, 'start_ms', whole(newest),
    'requests', requests, 'errors', errors,
  })
end

-- Returns the parts, each with its key; or nil and an error reply.
local function parse_parts(keys, args, first)
  if #args - first + 1 ~= PART_ARGS * (#keys - HEAD_KEYS) then
    return nil, fail('each parts key needs service, start_ms and part')
  end
  local parts = {}
  for i = HEAD_KEYS + 1, #keys do
    local at = first + PART_ARGS * (i - HEAD_KEYS - 1)
    local key, service, start_ms, packed = keys[i], args[at], args[at + 1], args[at + 2]
    local problem = not_whole('start_ms', start_ms) or wrong_type({{key, 'list'}})
    if problem then return nil, problem end
    parts[#parts + 1] = {key = key, service = service, start = tonumber(start_ms), packed = packed}
  end
  return parts
end

-- Returns the reply that names a service among the parts that was deleted after the first entry of the commit came.
local function deleted_service(progress, parts, first_id)
  local latest = held_id(progress, 'deleted')
  if not latest or is_before(latest, first_id) then return nil end
  for _, part in ipairs(parts) do
    local id = held_id(progress, 'deleted:' .. part.service)
    if id and not is_before(id, first_id) then return {'deleted', part.service, id} end
  end
  return nil
end

local function commit(keys, args)
  local events, open, progress, metrics = keys[1], keys[2], keys[3], keys[4]
  local group, consumer, step_ms, requests, errors, keep_ms = args[1], args[2], args[3], args[4], args[5], args[6]
  local problem = not_whole('step_ms', step_ms, 'requests', requests, 'errors', errors, 'keep_ms', keep_ms)
    or wrong_type({{open, 'zset'}, {progress, 'hash'}, {metrics, 'stream'}}) or is_used_up(metrics)
  if problem then return problem end
  local n, refused = count_of('n', args[HEAD_ARGS], #args - HEAD_ARGS)
  if refused then return refused end
  if n == 0 then return fail('a commit needs the id of an entry') end
  local ids = slice(args, HEAD_ARGS + 1, HEAD_ARGS + n)
  local parts, unreadable = parse_parts(keys, args, HEAD_ARGS + 1 + n)
  if unreadable then return unreadable end
  local lost = lost_ids(events, group, consumer, ids)
  if #lost > 0 then return {'lost', unpack(lost)} end
  local finished = finished_ids(events, progress, group, ids)
  if #finished > 0 then
    redis.call('XACK', events, group, unpack(finished))
    return {'lost', unpack(finished)}
  end
  local deleted = deleted_service(progress, parts, ids[1])
  if deleted then return deleted end

  local services, seen, newest = {}, {}, 0
  for _, part in ipairs(parts) do
    local service, start = part.service, whole(part.start)
    redis.call('RPUSH', part.key, part.packed)
    redis.call('ZADD', open, whole(part.start + tonumber(step_ms)), service .. ':' .. step_ms .. ':' .. start)
    if not seen[service] then
      seen[service] = true
      services[#services + 1] = service
    end
    newest = math.max(newest, part.start)
  end
  redis.call('XACK', events, group, unpack(ids))
  increase(progress, 'committed', n)
  note_finished(events, progress, group, ids)
  if #services > 0 then hint(keys, args, services, newest, now_ms()) end
  return {'ok'}
end

redis.register_function({function_name = 'baro_commit_1', callback = commit, flags = {'allow-oom'}})
