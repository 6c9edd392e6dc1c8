-- baro_tick_1: move the cursors of quiet services, with one entry for all of them.
-- KEYS closed open metrics producers...      ARGV step_ms through_ms no_data_ms keep_ms service(one for each producers key)
-- Replies the services left behind because an instance is missing: each gets an empty pane closed instead,
-- which records how many are missing. One whose producers key holds something else is left behind too: that closing is
-- refused, and the others move on. Services with an open pane between their cursor and through_ms are passed over.
-- Cost: O(services + open panes that end after the first cursor). allow-oom: as close.
local function busy_services(open, step, first, through)
  local is_busy = {}
  -- What ends before a cursor is late events, which hold nothing up, or of a service that cannot go on: there may be many.
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', open, '(' .. whole(first), whole(through))) do
    local service, own_step = string.match(member, '^([^:]+):(%d+):')
    if own_step == step then is_busy[service] = true end
  end
  return is_busy
end

local function tick(keys, args)
  local wrong_argument = not_whole(args, {1, 2, 3, 4})
  if wrong_argument then return wrong_argument end
  if #args - 4 ~= #keys - 3 then return fail('each producers key needs its service') end
  local through = tonumber(args[2])
  local wrong = wrong_type({{keys[1], 'hash'}, {keys[2], 'zset'}, {keys[3], 'stream'}})
  if wrong then return fail(wrong) end
  local cursors, first = {}, through
  for i = 4, #keys do
    cursors[i] = tonumber(redis.call('HGET', keys[1], args[i + 1]) or args[2])
    first = math.min(first, cursors[i])
  end
  local is_busy = busy_services(keys[2], args[1], first, through)
  local moved, held = {}, {}
  for i = 4, #keys do
    local service = args[i + 1]
    if cursors[i] < through and not is_busy[service] then
      local is_held = wrong_type({{keys[i], 'zset'}}) or count_missing(keys[i], through, args[3]) > 0
      if is_held then held[#held + 1] = service else moved[#moved + 1] = service end
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
