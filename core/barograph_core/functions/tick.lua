-- baro_tick_1: advance the cursors of quiet services, with one metrics entry for all of them.
-- KEYS     closed open metrics producers...
-- ARGV     step_ms through_ms no_data_ms keep_ms service(one for each producers key)
-- Replies  the services left behind because an instance is missing: the caller closes an empty pane of each, which
--          records how many are missing. A service whose producers key has the wrong type is left behind too: closing its
--          pane is refused, and the other services advance.
-- Cost     O(services + open panes that end after the first cursor). allow-oom: as baro_close_1.
-- Skips services with an open pane between their cursor and through_ms.
local HEAD_KEYS, HEAD_ARGS = 3, 4

local function busy_services(open, step_ms, first, through)
  local is_busy = {}
  -- Panes that end before a cursor hold late events, which block nothing, or are of a service that cannot close: there may
  -- be many of them.
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', open, '(' .. whole(first), whole(through))) do
    local service, own_step_ms = string.match(member, '^([^:]+):(%d+):')
    if own_step_ms == step_ms then is_busy[service] = true end
  end
  return is_busy
end

local function tick(keys, args)
  local closed, open, metrics = keys[1], keys[2], keys[3]
  local step_ms, through_ms, no_data_ms, keep_ms = args[1], args[2], args[3], args[4]
  local problem = wrong_type({{closed, 'hash'}, {open, 'zset'}, {metrics, 'stream'}})
    or not_whole('step_ms', step_ms, 'through_ms', through_ms, 'no_data_ms', no_data_ms, 'keep_ms', keep_ms)
    or is_used_up(metrics)
  if problem then return problem end
  if #args - HEAD_ARGS ~= #keys - HEAD_KEYS then return fail('each producers key needs its service') end
  local through = tonumber(through_ms)
  local services, first = {}, through
  for i = 1, #keys - HEAD_KEYS do
    local name = args[HEAD_ARGS + i]
    local cursor = tonumber(redis.call('HGET', closed, name) or '') or through
    services[i] = {name = name, producers = keys[HEAD_KEYS + i], cursor = cursor}
    first = math.min(first, cursor)
  end
  local is_busy = busy_services(open, step_ms, first, through)
  local moved, left_behind = {}, {}
  for _, service in ipairs(services) do
    if service.cursor < through and not is_busy[service.name] then
      local is_held = wrong_type({{service.producers, 'zset'}}) or count_missing(service.producers, through, no_data_ms) > 0
      local list = is_held and left_behind or moved
      list[#list + 1] = service.name
    end
  end
  for _, name in ipairs(moved) do redis.call('HSET', closed, name, through_ms) end
  if #moved > 0 then
    add(metrics, now_ms(), keep_ms, {
      'type', 'closed', 'service', table.concat(moved, ','), 'step_ms', step_ms, 'start_ms', '',
      'through_ms', through_ms, 'revision', '0', 'missing', '0', 'requests', '0', 'errors', '0',
    })
  end
  return left_behind
end

redis.register_function({function_name = 'baro_tick_1', callback = tick, flags = {'allow-oom'}})
