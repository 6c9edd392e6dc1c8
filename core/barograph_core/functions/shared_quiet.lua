-- The hash of an alert's quiet channels: channel -> "until_ms severity cooldown_ms episode_ms word".
--   until_ms   until when the channel's own delivery of a firing mutes the next ones
--   severity, cooldown_ms   of the firing that was delivered: a more severe one, or another setting, is not muted by it
--   episode_ms the newest episode that the channel was told of, or that an entry was written for
--   word       firing | resolved: the channel's last word about the alert
local RANK = {info = 0, warning = 1, error = 2, critical = 3}

-- Returns the parts of a tag "severity:cooldown_ms:episode_ms", or nil.
local function parse_quiet_tag(tag)
  local severity, cooldown_ms, episode_ms = string.match(tag, '^(%a+):(%d+):(%d+)$')
  if not RANK[severity] then return nil end
  return {severity = severity, cooldown_ms = cooldown_ms, episode_ms = episode_ms}
end

local function parse_quiet(value)
  local until_ms, severity, cooldown_ms, episode_ms, word = string.match(value or '', '^(%d+) (%a+) (%d+) (%d+) (%a+)$')
  if not RANK[severity] then return nil end
  return {until_ms = tonumber(until_ms), severity = severity, cooldown_ms = cooldown_ms, episode_ms = episode_ms, word = word}
end

local function put_quiet(key, channel, entry)
  local parts = {whole(entry.until_ms), entry.severity, entry.cooldown_ms, entry.episode_ms, entry.word}
  redis.call('HSET', key, channel, table.concat(parts, ' '))
end

-- Returns whether the delivery that `entry` notes mutes a firing with `tag` now.
local function is_muting(entry, tag, now)
  return entry.until_ms > now and entry.cooldown_ms == tag.cooldown_ms and RANK[tag.severity] <= RANK[entry.severity]
end

-- Returns the entries of a hash by channel. A value that cannot be read mutes nothing.
local function quiet_channels(key)
  local found, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do found[flat[i]] = parse_quiet(flat[i + 1]) end
  return found
end

-- Returns the value of a field among names and values in turn, or nil.
local function value_of(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

-- Notes a delivery in the hash of quiet channels. The channel's first delivery of a firing mutes it for the cooldown; a
-- later one within that time does not prolong it.
local function note_quiet(key, channel, tag, cooldown_ms, now)
  if not channel then return end
  local held, told = parse_quiet(redis.call('HGET', key, channel) or ''), parse_quiet_tag(tag)
  if not told then
    if held then
      held.word = 'resolved'
      put_quiet(key, channel, held)
    end
    return
  end
  told.word, told.until_ms = 'firing', now + tonumber(cooldown_ms)
  if held and is_muting(held, told, now) then told.until_ms, told.severity = held.until_ms, held.severity end
  put_quiet(key, channel, told)
  redis.call('PEXPIREAT', key, whole(math.max(told.until_ms, now + math.max(redis.call('PTTL', key), 0))))
end
