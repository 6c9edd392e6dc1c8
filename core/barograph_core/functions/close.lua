-- baro_close_1: compare-and-set closing of one pane, or of one roll-up, of a service.
-- KEYS source block open closed producers metrics
--      source: the pane's parts list, or for a roll-up the block that holds its children
-- ARGV service step_ms start_ms base_step_ms token revision blob keep_ms no_data_ms metrics_keep_ms parent_step_ms field value ...
--      token: length of the parts list, or the child block's version, that `blob` was made from
--      revision: of the stored pane that `blob` includes, -1 when there is none; parent_step_ms: 0 when there is no coarser step
-- Replies {"ok", revision, missing} | {"changed"}: somebody closed or committed meanwhile; read again.
-- Cost: O(log n + size of blob). allow-oom: closing frees the parts.
local function token_of(source, is_base)
  if is_base then return whole(redis.call('LLEN', source)) end
  return redis.call('HGET', source, 'v') or '0'
end

local function close_pane(keys, args)
  local service, step, start, base = args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local is_base, finish, parent = step == base, start + step, tonumber(args[11])
  local wrong = wrong_type({
    {keys[1], is_base and 'list' or 'hash'}, {keys[2], 'hash'}, {keys[3], 'zset'}, {keys[4], 'hash'},
    {keys[5], 'zset'}, {keys[6], 'stream'},
  })
  if wrong then return fail(wrong) end
  local through = tonumber(redis.call('HGET', keys[4], service) or '0')
  local stored = tonumber(redis.call('HGET', keys[2], 'r' .. args[3]) or '-1')
  if token_of(keys[1], is_base) ~= args[5] or stored ~= tonumber(args[6]) then return {'changed'} end
  if not is_base and through < finish then return {'changed'} end

  local is_first = is_base and start >= through
  -- A pane that closed as absent was revision 0 without being stored.
  local revision = stored + 1
  if is_base and not is_first and stored < 0 then revision = 1 end
  local missing = redis.call('ZCOUNT', keys[5], whole(finish - tonumber(args[9])), '(' .. whole(finish))
  redis.call('HSET', keys[2], args[3], args[7], 'r' .. args[3], whole(revision), 'm' .. args[3], missing)
  redis.call('HINCRBY', keys[2], 'v', 1)
  -- Counted from the closing, not from the pane's time: a backlog worked off late must outlive its roll-up.
  redis.call('PEXPIRE', keys[2], args[8])
  redis.call('ZREM', keys[3], service .. ':' .. args[2] .. ':' .. args[3])
  if parent > 0 then
    local parent_start = start - start % parent
    redis.call('ZADD', keys[3], whole(parent_start + parent), service .. ':' .. whole(parent) .. ':' .. whole(parent_start))
  end
  if not is_base then return {'ok', revision, missing} end

  redis.call('DEL', keys[1])
  if is_first then
    through = finish
    redis.call('HSET', keys[4], service, whole(through))
  end
  local fields = {
    'type', 'closed', 'service', service, 'step_ms', args[2], 'start_ms', args[3], 'through_ms', whole(through),
    'revision', whole(revision), 'missing', whole(missing),
  }
  for i = 12, #args do fields[#fields + 1] = args[i] end
  add(keys[6], now_ms(), args[10], fields)
  return {'ok', revision, missing}
end

redis.register_function({function_name = 'baro_close_1', callback = close_pane, flags = {'allow-oom'}})

-- baro_tick_1: move the cursors of quiet services, with one entry for all of them.
-- KEYS closed open metrics producers...      ARGV step_ms through_ms no_data_ms keep_ms service(one for each producers key)
-- Replies the services left behind because an instance is missing: each gets an empty pane closed instead,
-- which records how many are missing. Services with an open pane before through_ms are passed over.
-- Cost: O(services + open panes). allow-oom: as close.
local function tick(keys, args)
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
      local missing = redis.call('ZCOUNT', keys[i], whole(through - tonumber(args[3])), '(' .. args[2])
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
