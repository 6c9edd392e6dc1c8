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
