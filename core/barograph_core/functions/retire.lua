-- baro_retire_1: retire a service: it leaves the lists, and its producers no longer count as missing.
-- KEYS     events closed open progress heard producers series state metrics
-- ARGV     group service until_id idle_before_ms metrics_keep_ms
--          until_id: wait until every entry up to it is committed, "" when idle_before_ms decides
--          idle_before_ms: only when no event and no producer was heard of since, and no alert is left; "" likewise
-- Replies  {"ok", 1 when it was listed, alerts left in its state} | {"behind", oldest id not committed}
--          | {"open", panes that are still to close} | {"alive"}: idle_before_ms does not hold
-- Cost     O(open panes + alerts). allow-oom: it frees memory.
-- The state is deleted when no alert is left in it. Panes and roll-ups stay until they expire; `progress` keeps how far the
-- service was closed, so that it goes on there if it comes back meanwhile.
local function is_idle(heard, producers, state, service, before_ms)
  local heard_ms = tonumber(redis.call('ZSCORE', heard, service) or '0')
  return heard_ms < before_ms and redis.call('ZCOUNT', producers, whole(before_ms), '+inf') == 0 and count_alerts(state) == 0
end

local function retire(keys, args)
  local events, closed, open, progress, heard = keys[1], keys[2], keys[3], keys[4], keys[5]
  local producers, series, state, metrics = keys[6], keys[7], keys[8], keys[9]
  local group, service, until_id, idle_before_ms, metrics_keep_ms = args[1], args[2], args[3], args[4], args[5]
  local problem = wrong_type({
    {events, 'stream'}, {closed, 'hash'}, {open, 'zset'}, {progress, 'hash'}, {heard, 'zset'}, {producers, 'zset'},
    {series, 'zset'}, {state, 'hash'}, {metrics, 'stream'},
  }) or not_whole('metrics_keep_ms', metrics_keep_ms) or (until_id == '' and not_whole('idle_before_ms', idle_before_ms))
    or is_used_up(metrics)
  if problem then return problem end
  if until_id == '' then
    if not is_idle(heard, producers, state, service, tonumber(idle_before_ms)) then return {'alive'} end
  else
    if not split_id(until_id) then return fail('argument until_id must be an entry id') end
    local oldest = is_behind(events, group, until_id)
    if oldest then return {'behind', oldest} end
  end
  local waiting = members_of(open, service)
  if waiting > 0 then return {'open', waiting} end
  local through = redis.call('HGET', closed, service)
  if through then redis.call('HSET', progress, 'retired:' .. service, through) end
  local was_listed = redis.call('HDEL', closed, service)
  redis.call('ZREM', heard, service)
  redis.call('DEL', producers)
  drop_series(series, progress)
  local alerts = count_alerts(state)
  if alerts == 0 then redis.call('DEL', state) end
  if was_listed == 1 then add(metrics, now_ms(), metrics_keep_ms, {'type', 'retired', 'service', service}) end
  return {'ok', was_listed, alerts}
end

redis.register_function({function_name = 'baro_retire_1', callback = retire, flags = {'allow-oom'}})
