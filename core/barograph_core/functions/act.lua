-- baro_act_1: write the change that a person makes to one alert, once however often it is asked for.
-- KEYS     state alerts quiet once
--          once: remembers the request; another one for each
-- ARGV     version alert_id record forgets_quiet(0|1) request once_ms keep_ms field value ...
--          record: JSON text of the alert from now on; request: hash of what is asked, so that a key cannot stand for two
--          requests; once_ms: how long it is remembered, 0 not at all; fields: the entry, with `transition`
-- Replies  {"ok", version} | {"stale", version} | {"done", transition}: this request was applied before
--          | {"other"}: another request had this key
-- Cost     O(quiet channels). allow-oom: as baro_transition_1. What people do is small, and ends an incident.
local FIRST_FIELD = 8

local function act(keys, args)
  local state, alerts, quiet, once = keys[1], keys[2], keys[3], keys[4]
  local version_read, alert_id, record, forgets_quiet, request = args[1], args[2], args[3], args[4], args[5]
  local once_ms, keep_ms = args[6], args[7]
  local problem = wrong_type({{state, 'hash'}, {alerts, 'stream'}, {quiet, 'hash'}, {once, 'string'}})
    or not_whole('once_ms', once_ms, 'keep_ms', keep_ms) or is_used_up(alerts)
  if problem then return problem end
  local fields = slice(args, FIRST_FIELD, #args)
  local transition = #fields % 2 == 0 and pairs_of(fields)['transition']
  if not transition then return fail('the entry has no transition') end
  local done = done_before(once, request, once_ms)
  if done then return done end
  local version = redis.call('HGET', state, 'version') or '0'
  if version ~= version_read then return {'stale', version} end

  redis.call('HSET', state, 'alert:' .. alert_id, record)
  version = whole(counted(version) + 1)
  redis.call('HSET', state, 'version', version)
  if forgets_quiet == '1' then redis.call('DEL', quiet) end
  add(alerts, now_ms(), keep_ms, fields)
  note_done(once, request, transition, once_ms)
  return {'ok', version}
end

redis.register_function({function_name = 'baro_act_1', callback = act, flags = {'allow-oom'}})
