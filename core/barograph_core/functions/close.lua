-- baro_close_1: compare-and-set closing of one pane, or of one roll-up, of a service.
-- KEYS source block open rollups closed producers metrics
--      source: the pane's parts list, or for a roll-up the block that holds its children
-- ARGV service step_ms start_ms base_step_ms token revision blob keep_ms source_keep_ms no_data_ms metrics_keep_ms
--      parent_step_ms field value ...
--      token: length of the parts list, or the child block's version, that `blob` was made from
--      revision: of the stored pane that `blob` includes, -1 when there is none; parent_step_ms: 0 when there is no coarser step
--      keep_ms, source_keep_ms: life of the pane and of a roll-up's children, counted from when nothing needs them any more
-- Replies {"ok", revision, missing}
--       | {"changed"}: somebody closed or committed meanwhile; read again
--       | {"hole", closed_through_ms}: instances are missing in the empty panes before this one; close those first, each tells.
-- Cost: O(log n + size of blob). allow-oom: closing frees the parts.
local function token_of(source, is_base)
  if is_base then return whole(redis.call('LLEN', source)) end
  return redis.call('HGET', source, 'v') or '0'
end

local function count_missing(producers, finish, no_data_ms)
  return redis.call('ZCOUNT', producers, whole(finish - tonumber(no_data_ms)), '(' .. whole(finish))
end

-- Expiry begins when the roll-up has taken the pane in. Counted from the closing, a pause of the aggregators longer
-- than the retention would empty the roll-up that was about to be made.
local function settle(keys, args, is_base, parent)
  if not is_base then redis.call('PEXPIRE', keys[1], args[9]) end
  if parent == 0 then
    redis.call('PEXPIRE', keys[2], args[8])
    return
  end
  redis.call('PERSIST', keys[2])
  local start = tonumber(args[3])
  local parent_start = start - start % parent
  redis.call('ZADD', keys[4], whole(parent_start + parent), args[1] .. ':' .. whole(parent) .. ':' .. whole(parent_start))
end

local function close_pane(keys, args)
  local wrong_argument = not_whole(args, {2, 3, 4, 5, 8, 9, 10, 11, 12})
  if wrong_argument then return wrong_argument end
  local service, step, start, base = args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local is_base, finish = step == base, start + step
  local wrong = wrong_type({
    {keys[1], is_base and 'list' or 'hash'}, {keys[2], 'hash'}, {keys[3], 'zset'}, {keys[4], 'zset'}, {keys[5], 'hash'},
    {keys[6], 'zset'}, {keys[7], 'stream'},
  })
  if wrong then return fail(wrong) end
  local through = tonumber(redis.call('HGET', keys[5], service) or '0')
  local stored = tonumber(redis.call('HGET', keys[2], 'r' .. args[3]) or '-1')
  if token_of(keys[1], is_base) ~= args[5] or stored ~= tonumber(args[6]) then return {'changed'} end
  if not is_base and through < finish then return {'changed'} end

  local is_first = is_base and start >= through
  if is_first and through > 0 and start > through and count_missing(keys[6], start, args[10]) > 0 then
    return {'hole', whole(through)}
  end
  -- A pane that closed as absent was revision 0 without being stored.
  local revision = stored + 1
  if is_base and not is_first and stored < 0 then revision = 1 end
  local missing = count_missing(keys[6], finish, args[10])
  redis.call('HSET', keys[2], args[3], args[7], 'r' .. args[3], whole(revision), 'm' .. args[3], missing)
  redis.call('HINCRBY', keys[2], 'v', 1)
  redis.call('ZREM', is_base and keys[3] or keys[4], service .. ':' .. args[2] .. ':' .. args[3])
  settle(keys, args, is_base, tonumber(args[12]))
  if not is_base then return {'ok', revision, missing} end

  redis.call('DEL', keys[1])
  if is_first then
    through = finish
    redis.call('HSET', keys[5], service, whole(through))
  end
  local fields = {
    'type', 'closed', 'service', service, 'step_ms', args[2], 'start_ms', args[3], 'through_ms', whole(through),
    'revision', whole(revision), 'missing', whole(missing),
  }
  for i = 13, #args do fields[#fields + 1] = args[i] end
  add(keys[7], now_ms(), args[11], fields)
  return {'ok', revision, missing}
end

redis.register_function({function_name = 'baro_close_1', callback = close_pane, flags = {'allow-oom'}})

-- baro_tick_1: move the cursors of quiet services, with one entry for all of them.
-- KEYS closed open metrics producers...      ARGV step_ms through_ms no_data_ms keep_ms service(one for each producers key)
-- Replies the services left behind because an instance is missing: each gets an empty pane closed instead,
-- which records how many are missing. Services with an open pane before through_ms are passed over.
-- Cost: O(services + open panes). allow-oom: as close.
local function tick(keys, args)
  local wrong_argument = not_whole(args, {1, 2, 3, 4})
  if wrong_argument then return wrong_argument end
  if #args - 4 ~= #keys - 3 then return fail('each producers key needs its service') end
  local through = tonumber(args[2])
  local wrong = wrong_type({{keys[1], 'hash'}, {keys[2], 'zset'}, {keys[3], 'stream'}})
  if wrong then return fail(wrong) end
  local is_busy = {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', keys[2], '-inf', args[2])) do
    local service, step = string.match(member, '^([^:]+):(%d+):')
    if step == args[1] then is_busy[service] = true end
  end
  local moved, held = {}, {}
  for i = 4, #keys do
    local service = args[i + 1]
    local at = tonumber(redis.call('HGET', keys[1], service) or args[2])
    if at < through and not is_busy[service] then
      local missing = count_missing(keys[i], through, args[3])
      if missing > 0 then held[#held + 1] = service else moved[#moved + 1] = service end
    end
  end
  for _, service in ipairs(moved) do redis.call('HSET', keys[1], service, args[2]) end
  if #moved > 0 then
    add(keys[3], now_ms(), args[4], {
      'type', 'closed', 'service', table.concat(moved, ','), 'step_ms', args[1], 'start_ms', '',
      'through_ms', args[2], 'revision', '0', 'missing', '0', 'requests', '0', 'errors', '0',
    })
  end
  return held
end

redis.register_function({function_name = 'baro_tick_1', callback = tick, flags = {'allow-oom'}})
