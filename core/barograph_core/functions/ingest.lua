-- baro_ingest_1: append events of programs that have no producer: each once by its digest, a whole request once by its key.
-- KEYS     events epoch progress digests once, then for each service: totals
-- ARGV     epoch request once_ms answer oldest_ms newest_ms lateness_ms ahead_ms most
--          services, then for each: late early
--          members, then each; batches, then for each equally many: field value ...
--          request, once_ms, answer: as in baro_silence_1
--          oldest_ms, newest_ms: times of the oldest and the newest event that is appended, 0 without any
--          lateness_ms: the allowed lateness where no aggregator has stated one in `progress`; ahead_ms: how far an event may be
--          ahead of the server's clock; late, early: events that are refused for that, which the service's totals add up
--          members: "a" or "r" (appended or refused) and the digest of an event that has an identity
--          most: how many digests are kept; beyond, the oldest are forgotten before their time, and counted
-- Replies  {"ok", now_ms} | {"done", answer}: this request was applied before | {"other"}: another request had this key
--          | {"stale", epoch} | {"known", text}: for each member "a" (appended before), "r" (refused before) or "-"
--          | {"time", now_ms, lateness_ms}: events are too old or too far ahead; nothing is written but with "ok"
-- Cost     O(members * log(digests) + batches)
-- Writes none of the keys by which producers are known to live: no one waits for such events, and no one misses them.
-- Not allow-oom: a full server must refuse new events; who sent them sends them again.
local HEAD = 9
local MOST_SERVICES, MOST_MEMBERS, MOST_BATCHES = 1000, 10000, 2000
local MOST_FIELDS, MOST_ENTRY_BYTES = 32, 1048576 + 16384
local TOTALS_LIFE_S = 7776000
-- How many arguments a command gets at once: Lua's stack holds some thousands.
local AT_ONCE = 1000
-- Digests that one call removes at most, so that no call takes long.
local MOST_REMOVED = 20000
local MOST_DIGEST_BYTES = 33

-- Returns the parts of the arguments after the head, or nil and an error reply.
local function parse(keys, args)
  local parts, at = {}, HEAD + 1
  local services, problem = count_of('services', args[at], MOST_SERVICES)
  if problem then return nil, problem end
  if #keys ~= 5 + services then return nil, fail('each service needs the key of its totals') end
  parts.counts = slice(args, at + 1, at + 2 * services)
  at = at + 2 * services + 1
  local members, batches
  members, problem = count_of('members', args[at], MOST_MEMBERS)
  if problem then return nil, problem end
  parts.members = slice(args, at + 1, at + members)
  at = at + members + 1
  batches, problem = count_of('batches', args[at], MOST_BATCHES)
  if problem then return nil, problem end
  parts.first, parts.width = at + 1, 0
  if batches > 0 then parts.width = (#args - at) / batches end
  if (batches == 0 and #args > at) or (batches > 0 and (parts.width < 2 or parts.width % 2 ~= 0)) then
    return nil, fail('each batch needs equally many pairs of fields and values')
  end
  return parts
end

-- Returns an error reply for a part that cannot be written, or nil.
local function wrong_part(args, parts)
  for _, count in ipairs(parts.counts) do
    local problem = not_whole('late, early', count)
    if problem then return problem end
  end
  for _, member in ipairs(parts.members) do
    if #member > MOST_DIGEST_BYTES or not string.find(member, '^[ar].') then return fail('a member is no digest') end
  end
  if parts.width > 2 * MOST_FIELDS then return fail('a batch has at most ' .. MOST_FIELDS .. ' fields') end
  for first = parts.first, #args, math.max(parts.width, 1) do
    local bytes = 0
    for i = first, first + parts.width - 1 do bytes = bytes + #args[i] end
    if bytes > MOST_ENTRY_BYTES then return fail('a batch of ' .. bytes .. ' bytes is larger than ' .. MOST_ENTRY_BYTES) end
  end
  return nil
end

-- Returns for each member "a", "r" or "-", and whether one is known. One that is refused now may have been appended before.
local function known_members(digests, members)
  local marks, is_any = {}, false
  for first = 1, #members, AT_ONCE do
    local asked = {}
    for i = first, math.min(first + AT_ONCE - 1, #members) do
      local digest = string.sub(members[i], 2)
      asked[#asked + 1], asked[#asked + 2] = 'a' .. digest, 'r' .. digest
    end
    local found = redis.call('ZMSCORE', digests, unpack(asked))
    for i = 1, #found, 2 do
      local is_refused_again = found[i + 1] and string.sub(members[first + (i - 1) / 2], 1, 1) == 'r'
      local mark = found[i] and 'a' or is_refused_again and 'r' or '-'
      is_any = is_any or mark ~= '-'
      marks[#marks + 1] = mark
    end
  end
  return table.concat(marks), is_any
end

-- Adds digests, and removes those past their time and those beyond `most`, which are counted.
local function note_digests(digests, progress, members, now, life_ms, most)
  for first = 1, #members, AT_ONCE do
    local pairs_given = {}
    for i = first, math.min(first + AT_ONCE - 1, #members) do
      pairs_given[#pairs_given + 1], pairs_given[#pairs_given + 2] = whole(now), members[i]
    end
    redis.call('ZADD', digests, unpack(pairs_given))
  end
  if #members > 0 then redis.call('PEXPIRE', digests, whole(life_ms)) end
  local expired = math.min(redis.call('ZCOUNT', digests, '-inf', '(' .. whole(now - life_ms)), MOST_REMOVED)
  if expired > 0 then redis.call('ZREMRANGEBYRANK', digests, 0, whole(expired - 1)) end
  local more = math.min(redis.call('ZCARD', digests) - most, MOST_REMOVED)
  if more > 0 then
    redis.call('ZREMRANGEBYRANK', digests, 0, whole(more - 1))
    increase(progress, 'ingest_forgotten', more)
  end
end

local function add_counts(keys, counts)
  for i = 1, #counts, 2 do
    local totals = keys[5 + (i + 1) / 2]
    for at, field in ipairs({'late', 'future'}) do
      local count = tonumber(counts[i + at - 1])
      if count > 0 then
        increase(totals, field, count)
        redis.call('EXPIRE', totals, TOTALS_LIFE_S)
      end
    end
  end
end

local function append_batches(events, args, parts, now)
  if parts.width == 0 then return end
  local is_ahead = #redis.call('XREVRANGE', events, '+', whole(now + 1), 'COUNT', 1) > 0
  for first = parts.first, #args, parts.width do
    local fields = slice(args, first, first + parts.width - 1)
    if is_ahead then fields[#fields + 1], fields[#fields + 2] = 'at_ms', whole(now) end
    is_ahead = split_id(redis.call('XADD', events, '*', unpack(fields))) > now or is_ahead
  end
end

local function ingest(keys, args)
  local events, epoch_key, progress, digests, once = keys[1], keys[2], keys[3], keys[4], keys[5]
  local epoch, request, once_ms, answer, oldest_ms, newest_ms = args[1], args[2], args[3], args[4], args[5], args[6]
  local lateness_ms, ahead_ms, most = args[7], args[8], args[9]
  local problem = not_whole('once_ms', once_ms, 'oldest_ms', oldest_ms, 'newest_ms', newest_ms, 'lateness_ms', lateness_ms)
    or not_whole('ahead_ms', ahead_ms, 'most', most) or is_used_up(events)
    or wrong_type({{events, 'stream'}, {progress, 'hash'}, {digests, 'zset'}, {once, 'string'}})
  if problem then return problem end
  for i = 6, #keys do
    problem = wrong_type({{keys[i], 'hash'}})
    if problem then return problem end
  end
  local parts
  parts, problem = parse(keys, args)
  problem = problem or wrong_part(args, parts)
  if problem then return problem end

  local epoch_held = redis.call('GET', epoch_key) or '0'
  if epoch_held ~= epoch then return {'stale', epoch_held} end
  local done = done_before(once, request, once_ms)
  if done then return done end
  local marks, is_known = known_members(digests, parts.members)
  if is_known then return {'known', marks} end
  local now, stated = now_ms(), redis.call('HGET', progress, 'lateness_ms')
  local lateness = not not_whole('', stated) and tonumber(stated) or tonumber(lateness_ms)
  local is_early = tonumber(newest_ms) > now + tonumber(ahead_ms)
  if parts.width > 0 and (is_early or tonumber(oldest_ms) < now - lateness) then return {'time', whole(now), whole(lateness)} end

  append_batches(events, args, parts, now)
  -- A repetition that comes later than this is late by its time.
  note_digests(digests, progress, parts.members, now, lateness + tonumber(ahead_ms), tonumber(most))
  add_counts(keys, parts.counts)
  note_done(once, request, answer, once_ms)
  return {'ok', whole(now)}
end

redis.register_function('baro_ingest_1', ingest)
