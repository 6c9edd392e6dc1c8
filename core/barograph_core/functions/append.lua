-- baro_append_1: append batches, a heartbeat or a goodbye of a producer; a repeated call appends nothing twice.
-- KEYS     events sequence producers epoch liveness [totals shipped]
--          totals: of the service; producers of earlier versions do not name it, and are not counted in it
--          shipped: instance -> event time before which it has shipped everything: `through` by its own clock, by which
--          its events are dated, but never later than what is noted in `producers`. Panes close early by it (whole.lua).
-- ARGV     epoch instance seq previous service through_ms mode stats batches field value ...
--          through_ms: <through>:<now>, both by the producer's clock: how far it has shipped, and when it made the call. What
--          is noted is the server's time less the difference of the two, so that a clock that is ahead or behind neither
--          hides the producer's death nor makes it look missing. Producers of earlier versions give <through> alone.
--          mode: batch | heartbeat | goodbye; stats: JSON text, "" leaves the stored one as it is, and so does what is no
--          JSON or longer than 64 KiB
--          instance: 1 to 256 printable ASCII characters; an entry has up to 32 fields and 1 MiB of data
--          batches: number of batches, 0 unless mode is batch; each becomes one entry, and all have equally many fields.
--          The first has number seq, the others the numbers after it: all are appended, or none.
--          previous: the number before seq; in a heartbeat or goodbye the last number confirmed to the producer, 0 to omit it
--          An entry whose id is ahead of the server's clock gets the field at_ms, the time of its arrival: ids never go
--          back, and one from the future, or a clock that was ahead for a moment, would make all later entries late.
-- Replies  {"ok", newest entry id} | {"dup", last} | {"gap", last} | {"stale", epoch}
-- Cost     O(batches)
-- A listed instance whose sequence is gone was forgotten: a server with an evicting policy dropped the key. That is no
-- failover, which would have lost both or neither; the number is found again, so that nothing is sent twice.
-- Not allow-oom: a full server must refuse new events, so that the producer buffers and counts.
local SEQUENCE_LIFE_S = 86400
local LIVENESS_LIFE_S = 3600
-- Limit of the instances listed. Those that died without a goodbye stay until the limit pushes out the oldest.
local MOST_INSTANCES = 10000
local MOST_BATCHES = 64
-- Limit of how far the clock of a producer that gives <through> alone is believed to be ahead. Without it its death would
-- go unseen for as long as its clock was wrong.
local MOST_AHEAD_MS = 5000
local FIRST_FIELD = 10
local TOTALS_LIFE_S = 7776000
-- Limits of what statistics may add to the totals: they come from outside. MOST_TOTALS: fields of the hash.
local MOST_REASONS, MOST_COUNT, MOST_TOTALS = 32, 1e15, 64
-- Limits of what any client may send. Names become parts of keys and stand on every page; an entry is copied whole by each
-- look at the oldest one. MOST_ENTRY_BYTES: the data that workers decode at most, and its other fields.
local MOST_INSTANCE_BYTES, MOST_SERVICE_BYTES, MOST_STATS_BYTES = 256, 64, 65536
local MOST_FIELDS, MOST_ENTRY_BYTES = 32, 1048576 + 16384

-- Limits of how far back a forgotten number is looked for: pages of entries.
local RECALLED_PAGES, RECALLED_AT_ONCE = 10, 100

-- Returns the number of the newest batch of an instance in the stream, or `otherwise` when none is near its end.
local function recall(events, instance, otherwise)
  local from = '+'
  for _ = 1, RECALLED_PAGES do
    local page = redis.call('XREVRANGE', events, from, '-', 'COUNT', RECALLED_AT_ONCE)
    for _, entry in ipairs(page) do
      local fields = pairs_of(entry[2])
      if fields['instance'] == instance and not not_whole('seq', fields['seq']) then return tonumber(fields['seq']) end
    end
    if #page < RECALLED_AT_ONCE then break end
    from = '(' .. page[#page][1]
  end
  return otherwise
end

-- Returns the last number of the instance: 0 for one that is new, or that a failover has lost.
local function last_number(keys, args)
  local events, sequence, producers = keys[1], keys[2], keys[3]
  local instance, previous = args[2], tonumber(args[4]) or 0
  local held = redis.call('GET', sequence)
  if held then return counted(held) end
  if previous <= 0 or not redis.call('ZSCORE', producers, instance) then return 0 end
  local last = recall(events, instance, previous)
  redis.call('SET', sequence, whole(last), 'EX', SEQUENCE_LIFE_S)
  return last
end

-- Returns the counts in a producer's statistics that its service's totals add up, by field of the totals.
local function counts_of(stats)
  local counts, reasons = {}, 0
  if type(stats) ~= 'table' then return counts end
  local function take(field, count)
    if type(count) == 'number' and count > 0 and count <= MOST_COUNT then counts[field] = math.floor(count) end
  end
  take('shared_names', stats['shared_names'])
  for reason, count in pairs(type(stats['dropped']) == 'table' and stats['dropped'] or {}) do
    reasons = reasons + 1
    if reasons > MOST_REASONS then break end
    if type(reason) == 'string' and #reason <= 32 and string.match(reason, '^[%l_]+$') then take('dropped:' .. reason, count) end
  end
  return counts
end

local function add_to_totals(totals, field, count)
  increase(totals, field, count)
  redis.call('EXPIRE', totals, TOTALS_LIFE_S)
end

-- Adds to the service's totals what an instance has counted since the report before: with the instance, its own counts go.
-- `carried` is what its producer had reported under an earlier name. Copies of one process report in turn under one name:
-- the highest count is kept, so that neither adds its own again and again.
local function add_growth(totals, liveness, found)
  local carried = counts_of(found['carried'])
  for field, count in pairs(counts_of(found)) do
    local told = redis.call('HGET', liveness, 'told:' .. field)
    told = told and counted(told) or carried[field] or 0
    local is_listed = redis.call('HEXISTS', totals, field) == 1 or redis.call('HLEN', totals) < MOST_TOTALS
    if count > told and is_listed then
      add_to_totals(totals, field, count - told)
      redis.call('HSET', liveness, 'told:' .. field, whole(count))
    end
  end
end

-- Returns the two times of the argument through_ms, the second nil when it is not there.
local function read_through(text)
  local through_ms, sent_ms = string.match(text or '', '^(%d+):(%d+)$')
  return through_ms or text, sent_ms
end

-- Returns a producer's statistics, or nil when there are none that can be read.
local function read_stats(stats)
  if stats == '' or #stats > MOST_STATS_BYTES then return nil end
  local is_read, found = pcall(cjson.decode, stats)
  return is_read and type(found) == 'table' and found or nil
end

local function sign_of_life(keys, args, now)
  local producers, liveness, shipped = keys[3], keys[5], keys[7]
  local instance, service, mode, stats = args[2], args[5], args[7], args[8]
  local through_ms, sent_ms = read_through(args[6])
  local noted = math.min(tonumber(through_ms), now + MOST_AHEAD_MS)
  if sent_ms then noted = now - math.max(0, tonumber(sent_ms) - tonumber(through_ms)) end
  if mode == 'goodbye' then
    redis.call('ZREM', producers, instance)
    if shipped then redis.call('ZREM', shipped, instance) end
  else
    redis.call('ZADD', producers, 'GT', whole(math.max(0, noted)), instance)
    if shipped and sent_ms then
      redis.call('ZADD', shipped, 'GT', whole(math.max(0, math.min(tonumber(through_ms), noted))), instance)
      redis.call('EXPIRE', shipped, SEQUENCE_LIFE_S)
    end
  end
  redis.call('HSET', liveness, 'service', service, 'at_ms', whole(now), 'through_ms', through_ms, 'state', mode)
  if sent_ms then redis.call('HSET', liveness, 'ahead_ms', whole(tonumber(sent_ms) - now)) end
  local found = read_stats(stats)
  if found then
    if keys[6] then add_growth(keys[6], liveness, found) end
    redis.call('HSET', liveness, 'stats', stats)
  end
  -- The totals need the last report of an instance that was cut off: as long as its sequence.
  redis.call('EXPIRE', liveness, mode == 'goodbye' and LIVENESS_LIFE_S or SEQUENCE_LIFE_S)
end

-- Returns an error reply for names that no producer has, or nil.
local function wrong_name(instance, service)
  if #instance < 1 or #instance > MOST_INSTANCE_BYTES or string.find(instance, '[^!-~]') then
    return fail('argument instance must be 1 to ' .. MOST_INSTANCE_BYTES .. ' printable ASCII characters')
  end
  if #service > MOST_SERVICE_BYTES or not string.match(service, '^[%w._-]+$') then
    return fail('argument service must be 1 to ' .. MOST_SERVICE_BYTES .. ' of A-Z a-z 0-9 . _ -')
  end
  return nil
end

-- Returns an error reply for a batch that is larger than any that workers decode, or nil.
local function too_large(args, width)
  if width > 2 * MOST_FIELDS then return fail('a batch has at most ' .. MOST_FIELDS .. ' fields') end
  for first = FIRST_FIELD, #args, width do
    local bytes = 0
    for i = first, first + width - 1 do bytes = bytes + #args[i] end
    if bytes > MOST_ENTRY_BYTES then return fail('a batch of ' .. bytes .. ' bytes is larger than ' .. MOST_ENTRY_BYTES) end
  end
  return nil
end

local function append_batches(keys, args, last, now)
  local events, sequence = keys[1], keys[2]
  local seq, previous = tonumber(args[3]), tonumber(args[4])
  local batches, problem = count_of('batches', args[9], MOST_BATCHES)
  if problem then return problem end
  if batches == 0 then return fail('a call in mode batch needs a batch') end
  local width = (#args - FIRST_FIELD + 1) / batches
  if width < 2 or width % 2 ~= 0 then return fail('each batch needs equally many pairs of fields and values') end
  problem = too_large(args, width)
  if problem then return problem end
  local newest = seq + batches - 1
  if seq <= last then
    if keys[6] then add_to_totals(keys[6], 'duplicates', math.min(newest, last) - seq + 1) end
    -- If only some of the batches are here, the others must not be reported as shipped.
    if newest <= last then sign_of_life(keys, args, now) end
    return {'dup', whole(last)}
  end
  if previous ~= last then return {'gap', whole(last)} end
  -- Without such entries this reads none.
  local is_ahead = #redis.call('XREVRANGE', events, '+', whole(now + 1), 'COUNT', 1) > 0
  local id, following = nil, seq
  for first = FIRST_FIELD, #args, width do
    local fields = slice(args, first, first + width - 1)
    if is_ahead then fields[#fields + 1], fields[#fields + 2] = 'at_ms', whole(now) end
    id = redis.pcall('XADD', events, '*', unpack(fields))
    if type(id) == 'table' then
      -- After the last possible id nothing can be appended until baro_renew_1 was called. What is here is kept in mind: the
      -- producer offers the whole call again.
      if following > seq then redis.call('SET', sequence, whole(following - 1), 'EX', SEQUENCE_LIFE_S) end
      return string.find(id.err, 'exhausted') and redis.error_reply('TRYAGAIN barograph: ' .. id.err) or id
    end
    following, is_ahead = following + 1, is_ahead or split_id(id) > now
  end
  redis.call('SET', sequence, whole(newest), 'EX', SEQUENCE_LIFE_S)
  sign_of_life(keys, args, now)
  return {'ok', id}
end

local function append(keys, args)
  local events, sequence, producers, epoch_key, liveness, totals = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  local shipped = keys[7]
  local epoch, seq, previous, through_ms, mode = args[1], args[3], args[4], args[6], args[7]
  local epoch_held = redis.call('GET', epoch_key) or '0'
  if epoch_held ~= epoch then return {'stale', epoch_held} end
  if mode ~= 'batch' and mode ~= 'heartbeat' and mode ~= 'goodbye' then return fail('unknown mode ' .. tostring(mode)) end
  local through, sent = read_through(through_ms)
  local problem = wrong_name(args[2], args[5]) or not_whole('through_ms', through) or (sent and not_whole('through_ms', sent))
    or (mode == 'batch' and not_whole('seq', seq, 'previous', previous))
    or wrong_type({{events, 'stream'}, {sequence, 'string'}, {producers, 'zset'}, {liveness, 'hash'}})
    or (totals and wrong_type({{totals, 'hash'}})) or (shipped and wrong_type({{shipped, 'zset'}}))
  if problem then return problem end

  local now = now_ms()
  local last = last_number(keys, args)
  if mode == 'batch' then return append_batches(keys, args, last, now) end
  -- A failover may have lost the last batches. Without this check only the next batch would show it, which may come too
  -- late or never.
  if tonumber(previous) and tonumber(previous) > last then return {'gap', whole(last)} end
  -- Whoever is listed has a sequence, also before its first batch: one without was forgotten (last_number).
  if mode == 'heartbeat' then redis.call('SET', sequence, '0', 'NX', 'EX', SEQUENCE_LIFE_S) end
  redis.call('EXPIRE', sequence, SEQUENCE_LIFE_S)
  redis.call('ZREMRANGEBYRANK', producers, 0, -1 - MOST_INSTANCES)
  if shipped then redis.call('ZREMRANGEBYRANK', shipped, 0, -1 - MOST_INSTANCES) end
  sign_of_life(keys, args, now)
  return {'ok', ''}
end

redis.register_function('baro_append_1', append)
