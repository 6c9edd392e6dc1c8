-- baro_transition_1: alert state, cooldown keys, alerts entries and the acknowledgement of the hints, in one step.
-- KEYS state metrics alerts cooldown(one for each change, in order)
-- ARGV group consumer service version closed_from closed_to provisional_at keep_ms n id(1..n, ascending) then for each change:
--      alert_id state cooldown_mode cooldown_tag claim_ms k field value ... (k counts fields and values)
--      state: JSON text, "" deletes the alert; closed_from, closed_to: "" leaves the cursor; provisional_at: "" likewise
--      cooldown_mode: none   notify and reason stand among the fields
--                     claim  the first to claim the key notifies, the others write notify=0 reason=cooldown
--                     break  takes the key over: worse news is never muted
--                     remind the change only happens if the key is free
--                     clear  deletes the key; notify and reason stand among the fields
-- Replies {"ok", version, {flag...}} with flag 1 notified, 0 in cooldown, - no entry, x not due
--       | {"stale", version, closed_at} | {"lost", id...}. Cost: O(changes + n).
local MOST_FIELDS = 1000
local CLAIMING = {claim = true, ['break'] = true, remind = true}

local function parse_changes(keys, args, at)
  local changes = {}
  while at <= #args do
    if not_whole(args, {at + 5}) then return nil end
    -- SET refuses a life of 0.
    if CLAIMING[args[at + 2]] and (not_whole(args, {at + 4}) or tonumber(args[at + 4]) == 0) then return nil end
    local k = tonumber(args[at + 5])
    if k % 2 ~= 0 or k > MOST_FIELDS or at + 5 + k > #args then return nil end
    changes[#changes + 1] = {
      id = args[at], state = args[at + 1], mode = args[at + 2], tag = args[at + 3], claim_ms = args[at + 4],
      fields = slice(args, at + 6, at + 5 + k), cooldown = keys[4 + #changes],
    }
    if not changes[#changes].cooldown then return nil end
    at = at + 6 + k
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

local function apply(keys, change, now, keep_ms)
  local notify = claim(change)
  if notify == false then return 'x' end
  if change.state == '' then
    redis.call('HDEL', keys[1], 'alert:' .. change.id)
  else
    redis.call('HSET', keys[1], 'alert:' .. change.id, change.state)
  end
  if #change.fields == 0 then return '-' end
  if notify then
    for _, item in ipairs({'notify', notify, 'reason', notify == '1' and '' or 'cooldown'}) do
      change.fields[#change.fields + 1] = item
    end
    if change.mode == 'remind' then change.fields[#change.fields] = 'reminder' end
  end
  add(keys[3], now, keep_ms, change.fields)
  return notify or '1'
end

local function transition(keys, args)
  local wrong = wrong_type({{keys[1], 'hash'}, {keys[2], 'stream'}, {keys[3], 'stream'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {8, 9}) or (args[7] ~= '' and not_whole(args, {7}))
  if wrong_argument then return wrong_argument end
  local n = tonumber(args[9])
  local ids = slice(args, 10, 9 + n)
  local changes = parse_changes(keys, args, 10 + n)
  if not changes then return fail('the changes and their cooldown keys do not add up') end
  for _, change in ipairs(changes) do
    if wrong_type({{change.cooldown, 'string'}}) then return fail(change.cooldown .. ' is not a cooldown key') end
  end
  local held = redis.call('HMGET', keys[1], 'version', 'closed_at', 'provisional_at')
  local version, closed_at, provisional_at = held[1] or '0', held[2] or '', tonumber(held[3] or '0')
  if version ~= args[4] or (args[5] ~= '' and args[5] ~= closed_at) then return {'stale', version, closed_at} end
  local lost = lost_ids(keys[2], args[1], args[2], ids)
  if #lost > 0 then return {'lost', unpack(lost)} end

  local now, flags = now_ms(), {}
  for i, change in ipairs(changes) do flags[i] = apply(keys, change, now, args[8]) end
  version = whole(tonumber(version) + 1)
  redis.call('HSET', keys[1], 'version', version)
  if args[6] ~= '' then redis.call('HSET', keys[1], 'closed_at', args[6]) end
  if args[7] ~= '' and tonumber(args[7]) > provisional_at then redis.call('HSET', keys[1], 'provisional_at', args[7]) end
  if n > 0 then redis.call('XACK', keys[2], args[1], unpack(ids)) end
  return {'ok', version, flags}
end

redis.register_function('baro_transition_1', transition)
