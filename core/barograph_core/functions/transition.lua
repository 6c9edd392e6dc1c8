-- baro_transition_2: write alert state, cooldown keys and alerts entries, and acknowledge the hints, in one step.
-- baro_transition_1: the same as alerters of the version before call it, without `flaps`.
-- KEYS     state metrics alerts cooldown(one for each change, in order)
-- ARGV     group consumer service version closed_from closed_to provisional_at keep_ms n id(1..n, ascending) then for each
--          change: alert_id state cooldown_mode cooldown_tag claim_ms flaps k field value ... (k counts fields and values)
--          state: JSON text, "" deletes the alert; flaps: JSON text of how often it fired lately, "" deletes that, "-" leaves it
--          closed_from, closed_to: "" leaves the cursor; provisional_at: "" likewise
--          cooldown_mode: none     notify and reason are among the fields
--                         announce notifies, and names the channels that it mutes in the field muted
--                         override notifies every channel: a more severe change is never muted
--                         recall   the change only happens if a channel that was muted is free by now, or when claim_ms
--                                  is 1 also if its last word was a resolution; names those that are still muted
--                         clear    deletes the key; notify and reason are among the fields
--                         These append notify, and reason where the fields have none; they take cooldown_tag "severity:cooldown_ms:episode_ms" and the hash of quiet channels.
--                         claim, break, remind: as alerters of the version before know them, on a string for all
--                         channels. claim: the first to claim the key notifies, the others write notify=0
--                         reason=cooldown; break takes the key over; remind: only if the key is free.
-- Replies  {"ok", version, {flag...}} with flag 1 notified, 0 some are muted, - no entry, x not due
--          | {"stale", version, closed_at} | {"lost", id...}
-- Cost     O(changes * channels + n). allow-oom: that the server is full must not keep an alert from getting out. What it
--          writes is bounded by the alerts there are, and the stream by its retention.
local HEAD_KEYS, HEAD_ARGS = 3, 9
-- Arguments of a change before its fields, by whether flaps are among them.
local CHANGE_ARGS = {[false] = 6, [true] = 7}
local UNCHANGED = '-'
local MOST_FIELDS = 1000
local CLAIMING = {claim = true, ['break'] = true, remind = true}
local BY_CHANNEL = {announce = true, override = true, recall = true}

-- Returns the change whose arguments begin at `at`, or nil.
local function parse_change(args, at, cooldown, has_flaps)
  local id, state, mode, tag, claim_ms = args[at], args[at + 1], args[at + 2], args[at + 3], args[at + 4]
  local first = at + CHANGE_ARGS[has_flaps]
  local k = count_of('k', args[first - 1], math.max(0, math.min(MOST_FIELDS, #args - first + 1)))
  if not k or k % 2 ~= 0 or not cooldown then return nil end
  -- SET refuses a life of 0.
  if CLAIMING[mode] and (not_whole('claim_ms', claim_ms) or tonumber(claim_ms) == 0) then return nil end
  if BY_CHANNEL[mode] then
    tag = parse_quiet_tag(tag)
    if not tag then return nil end
  end
  local flaps = has_flaps and args[at + 5] or UNCHANGED
  local fields = slice(args, first, first - 1 + k)
  return {id = id, state = state, mode = mode, tag = tag, claim_ms = claim_ms, flaps = flaps, fields = fields, cooldown = cooldown}
end

-- Returns the changes, or nil and an error reply.
local function parse_changes(keys, args, at, has_flaps)
  local changes = {}
  while at <= #args do
    local change = parse_change(args, at, keys[HEAD_KEYS + 1 + #changes], has_flaps)
    if not change then return nil, fail('the changes and their cooldown keys do not add up') end
    local kind = CLAIMING[change.mode] and 'string' or BY_CHANNEL[change.mode] and 'hash'
    if kind and wrong_type({{change.cooldown, kind}}) then
      return nil, fail(change.cooldown .. ' is not a cooldown key')
    end
    changes[#changes + 1] = change
    at = at + CHANGE_ARGS[has_flaps] + #change.fields
  end
  return changes
end

-- Returns whether the change notifies ("1" or "0"), nil when its fields say so already, false when it is not due.
local function claim(change)
  if change.mode == 'break' then
    redis.call('SET', change.cooldown, change.tag, 'PX', change.claim_ms)
    return '1'
  end
  if change.mode == 'clear' then redis.call('DEL', change.cooldown) end
  if change.mode ~= 'claim' and change.mode ~= 'remind' then return nil end
  if redis.call('SET', change.cooldown, change.tag, 'NX', 'PX', change.claim_ms) then return '1' end
  if change.mode == 'remind' then return false end
  return '0'
end

-- Returns the names of the channels that the change mutes, false when it is not due. Notes which ones it does not.
local function mute(change, now)
  local quiet, muted, asked = quiet_channels(change.cooldown), {}, {}
  local is_recall, is_flap_over = change.mode == 'recall', change.claim_ms == '1'
  for channel, entry in pairs(quiet) do
    -- A recall is for channels that lack this episode; the others have had their entry.
    local is_told = is_recall and entry.episode_ms == change.tag.episode_ms
    local is_muted = change.mode ~= 'override' and is_muting(entry, change.tag, now)
      and not (is_recall and is_flap_over and entry.word == 'resolved')
    if is_muted and not is_told then
      muted[#muted + 1] = channel
    elseif not is_told then
      asked[channel] = entry
    end
  end
  if is_recall and next(asked) == nil and next(quiet) ~= nil then return false end
  for channel, entry in pairs(asked) do
    entry.episode_ms = change.tag.episode_ms
    put_quiet(change.cooldown, channel, entry)
  end
  table.sort(muted)
  return muted
end

local function store(state, change)
  if change.state == '' then
    redis.call('HDEL', state, 'alert:' .. change.id)
  else
    redis.call('HSET', state, 'alert:' .. change.id, change.state)
  end
  if change.flaps == '' then
    redis.call('HDEL', state, 'flaps:' .. change.id)
  elseif change.flaps ~= UNCHANGED then
    redis.call('HSET', state, 'flaps:' .. change.id, change.flaps)
  end
end

local function has_field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return true end
  end
  return false
end

local function apply_by_channel(state, alerts, change, now, keep_ms)
  local muted = mute(change, now)
  if not muted then return 'x' end
  store(state, change)
  for _, item in ipairs({'notify', '1'}) do change.fields[#change.fields + 1] = item end
  if not has_field(change.fields, 'reason') then
    for _, item in ipairs({'reason', change.mode == 'recall' and 'reminder' or ''}) do
      change.fields[#change.fields + 1] = item
    end
  end
  if #muted > 0 then
    change.fields[#change.fields + 1] = 'muted'
    change.fields[#change.fields + 1] = table.concat(muted, ',')
  end
  add(alerts, now, keep_ms, change.fields)
  return #muted == 0 and '1' or '0'
end

local function apply(state, alerts, change, now, keep_ms)
  if BY_CHANNEL[change.mode] then return apply_by_channel(state, alerts, change, now, keep_ms) end
  local notify = claim(change)
  if notify == false then return 'x' end
  store(state, change)
  if #change.fields == 0 then return '-' end
  if notify then
    for _, item in ipairs({'notify', notify, 'reason', notify == '1' and '' or 'cooldown'}) do
      change.fields[#change.fields + 1] = item
    end
    if change.mode == 'remind' then change.fields[#change.fields] = 'reminder' end
  end
  add(alerts, now, keep_ms, change.fields)
  return notify or '1'
end

local function transition(keys, args, has_flaps)
  local state, metrics, alerts = keys[1], keys[2], keys[3]
  local group, consumer, version_read, closed_from, closed_to = args[1], args[2], args[4], args[5], args[6]
  local provisional_at, keep_ms = args[7], args[8]
  local problem = wrong_type({{state, 'hash'}, {metrics, 'stream'}, {alerts, 'stream'}})
    or not_whole('keep_ms', keep_ms) or (provisional_at ~= '' and not_whole('provisional_at', provisional_at))
    or is_used_up(alerts)
  if problem then return problem end
  local n, refused = count_of('n', args[HEAD_ARGS], #args - HEAD_ARGS)
  if refused then return refused end
  local ids = slice(args, HEAD_ARGS + 1, HEAD_ARGS + n)
  local changes, unreadable = parse_changes(keys, args, HEAD_ARGS + 1 + n, has_flaps)
  if unreadable then return unreadable end
  local held = redis.call('HMGET', state, 'version', 'closed_at', 'provisional_at')
  local version, closed_at, provisional_held = held[1] or '0', held[2] or '', counted(held[3])
  if version ~= version_read or (closed_from ~= '' and closed_from ~= closed_at) then return {'stale', version, closed_at} end
  local lost = lost_ids(metrics, group, consumer, ids)
  if #lost > 0 then return {'lost', unpack(lost)} end

  local now, flags = now_ms(), {}
  for i, change in ipairs(changes) do flags[i] = apply(state, alerts, change, now, keep_ms) end
  version = whole(counted(version) + 1)
  redis.call('HSET', state, 'version', version)
  if closed_to ~= '' then redis.call('HSET', state, 'closed_at', closed_to) end
  if provisional_at ~= '' and tonumber(provisional_at) > provisional_held then
    redis.call('HSET', state, 'provisional_at', provisional_at)
  end
  if n > 0 then redis.call('XACK', metrics, group, unpack(ids)) end
  return {'ok', version, flags}
end

redis.register_function({
  function_name = 'baro_transition_1',
  callback = function(keys, args) return transition(keys, args, false) end,
  flags = {'allow-oom'},
})
redis.register_function({
  function_name = 'baro_transition_2',
  callback = function(keys, args) return transition(keys, args, true) end,
  flags = {'allow-oom'},
})
