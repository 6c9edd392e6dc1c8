-- baro_whole_1: say of which open panes every live instance has shipped everything, so that they need not wait for the watermark.
-- KEYS     events, then for each pane: producers shipped
-- ARGV     group no_data_ms, then for each pane its end in ms
-- Replies  {id of the oldest entry not committed or "", id of the newest entry, then for each pane 1 or 0}
--          1: every instance that counts as alive or missing at the pane's end has shipped all events before it, and there is
--          one. What it shipped is in the stream up to the newest entry; the pane is whole once that is committed.
--          0 too where an instance is of a version that does not say what it has shipped
-- Cost     O(panes * log(instances))
local HEAD_KEYS, HEAD_ARGS, PANE_KEYS = 1, 2, 2

local function has_shipped(producers, shipped, finish, no_data_ms)
  if wrong_type({{producers, 'zset'}, {shipped, 'zset'}}) then return 0 end
  local declared = redis.call('ZCOUNT', shipped, whole(finish), '+inf')
  local alive = redis.call('ZCOUNT', producers, whole(finish - no_data_ms), '+inf')
  return declared > 0 and declared == alive and 1 or 0
end

local function newest_id(events)
  local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
  return newest and newest[1] or ''
end

local function whole_panes(keys, args)
  local events, group, no_data_ms = keys[1], args[1], args[2]
  local problem = wrong_type({{events, 'stream'}}) or not_whole('no_data_ms', no_data_ms)
  if problem then return problem end
  if #keys - HEAD_KEYS ~= PANE_KEYS * (#args - HEAD_ARGS) then return fail('each pane needs two keys and its end') end
  for i = HEAD_ARGS + 1, #args do
    problem = not_whole('end_ms', args[i])
    if problem then return problem end
  end
  local info = group_info(events, group)
  if not info then return redis.error_reply('NOGROUP no consumer group ' .. group .. ' on ' .. events) end
  local reply = {oldest_unfinished(events, group, info['last-delivered-id']) or '', newest_id(events)}
  for i = HEAD_ARGS + 1, #args do
    local key = HEAD_KEYS + PANE_KEYS * (i - HEAD_ARGS) - 1
    reply[#reply + 1] = has_shipped(keys[key], keys[key + 1], tonumber(args[i]), tonumber(no_data_ms))
  end
  return reply
end

redis.register_function({function_name = 'baro_whole_1', callback = whole_panes, flags = {'no-writes'}})
