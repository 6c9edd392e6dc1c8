-- baro_retain_1: drop entries past their retention by time or by memory, and count all lost entries, also those that other
-- clients trimmed.
-- KEYS     stream progress
-- ARGV     group keep_ms max_bytes limit last_id added committed dead lost lost_counted lost_events
--          max_bytes: 0 for no bound; limit: count unread entries exactly up to this number
--          the others: the account as the caller last saw it, restored when a flush deleted the counters; all 0 when the
--          caller has seen none
-- Replies  the figures of baro_account_1, then {processed, overtaken, overtaken_events, booked, size_bytes}: entries dropped
--          after processing, entries dropped before, the events in them, entries found to be trimmed by another client,
--          and the stream's memory before; nil when there is no such stream or group
-- Cost     O(entries dropped + limit). allow-oom: it frees memory.
-- The time limit drops only processed entries, in whole radix nodes. The memory limit drops processed entries first, then
-- the oldest of the others: at most 1,000 a call, each acknowledged and counted before it goes.
local SAMPLES, MOST_OVERTAKEN, MOST_BYTES = 50, 1000, 4194304
-- Limit of the pending entries looked up. Higher than MOST_OVERTAKEN, because some may be trimmed already.
local MOST_PENDING = 10000
-- XTRIM ~ drops whole nodes of up to 100 entries (unless the server is configured otherwise), or none at all.
local LEAST_AT_ONCE = 200

-- Counts, acknowledges and drops the oldest entries, whatever their state. Returns the numbers of entries dropped, of
-- entries lost, of lost entries with a readable number of events, and of those events.
local function overtake(stream, group, delivered, excess, average)
  local most = math.min(MOST_OVERTAKEN, math.max(1, math.floor(MOST_BYTES / average)))
  local rows = redis.call('XRANGE', stream, '-', '+', 'COUNT', math.min(most, math.max(excess, LEAST_AT_ONCE)) + 1)
  if #rows < 2 then return 0, 0, 0, 0 end
  local is_pending, last = {}, rows[#rows][1]
  for _, row in ipairs(redis.call('XPENDING', stream, group, rows[1][1], last, MOST_PENDING)) do is_pending[row[1]] = true end
  local dropped = redis.call('XTRIM', stream, 'MINID', '~', last)
  local lost, counted, events, claimed = 0, 0, 0, {}
  for i = 1, dropped do
    local id, fields = rows[i][1], pairs_of(rows[i][2])
    if is_pending[id] then claimed[#claimed + 1] = id end
    if is_pending[id] or is_before(delivered, id) then
      lost = lost + 1
      local held = events_of(fields)
      if held then counted, events = counted + 1, events + held end
    end
  end
  if #claimed > 0 then redis.call('XACK', stream, group, unpack(claimed)) end
  return dropped, lost, counted, events
end

local function trim_by_memory(stream, progress, group, delivered, oldest, max_bytes, size)
  local length = redis.call('XLEN', stream)
  if max_bytes == 0 or size <= max_bytes or length == 0 then return 0, 0, 0 end
  local excess = math.ceil(length * (1 - max_bytes / size))
  local limit = math.max(excess, LEAST_AT_ONCE)
  local processed = redis.call('XTRIM', stream, 'MINID', '~', oldest, 'LIMIT', limit)
  if processed > 0 then return processed, 0, 0 end
  local dropped, lost, counted, events = overtake(stream, group, delivered, excess, size / length)
  if lost > 0 then
    increase(progress, 'lost:' .. group, lost)
    increase(progress, 'lost_counted:' .. group, counted)
    increase(progress, 'lost_events:' .. group, events)
  end
  return dropped - lost, lost, events
end

-- Returns whether a flush deleted the counters and a worker that remembers nothing wrote new ones before this caller.
-- A replica that lags is not such a case: some of its entries are older than those the caller has seen.
local function is_forgotten(stream, progress, last_id, added)
  local held = numbers(progress, {'added_before', 'added_seen', 'put_back'})
  if held['put_back'] == 1 or held['added_before'] + held['added_seen'] >= tonumber(added) then return false end
  local facts = pairs_of(redis.call('XINFO', 'STREAM', stream))
  local first = facts['first-entry']
  return first and facts['entries-added'] == facts['length'] and is_before(last_id, first[1])
end

-- Restores the counters from the account that the caller remembers.
local function put_back(stream, progress, group, last_id, remembered)
  if remembered.added == '0' then return end
  local added_field = 'added_seen'
  if redis.call('HEXISTS', progress, 'added_seen') == 1 then
    if not is_forgotten(stream, progress, last_id, remembered.added) then return end
    added_field = 'added_before'
  else
    redis.call('HSET', progress, 'last_seen', last_id)
  end
  -- Add the old figures to those counted since the flush.
  increase(progress, added_field, remembered.added)
  increase(progress, 'committed', remembered.committed)
  for _, name in ipairs({'dead', 'lost', 'lost_counted', 'lost_events'}) do
    increase(progress, name .. ':' .. group, remembered[name])
  end
  -- Restore only once: other workers remember an account too.
  redis.call('HSET', progress, 'put_back', 1)
end

local function retain(keys, args)
  local stream, progress = keys[1], keys[2]
  local group, keep_ms, max_bytes, last_id = args[1], args[2], args[3], args[5]
  local remembered = {
    added = args[6], committed = args[7], dead = args[8], lost = args[9], lost_counted = args[10], lost_events = args[11],
  }
  local limit, problem = count_of('limit', args[4], MOST_ENTRIES)
  problem = problem or wrong_type({{stream, 'stream'}, {progress, 'hash'}})
    or not_whole('keep_ms', keep_ms, 'max_bytes', max_bytes)
    or not_whole('added', remembered.added, 'committed', remembered.committed, 'dead', remembered.dead)
    or not_whole('lost', remembered.lost, 'lost_counted', remembered.lost_counted, 'lost_events', remembered.lost_events)
  if problem then return problem end
  if not split_id(last_id) then return fail('argument last_id must be an entry id') end
  if not group_info(stream, group) then return false end
  local size, refused = memory_of(stream, SAMPLES)
  if refused then return refused end
  put_back(stream, progress, group, last_id, remembered)
  local stock = take_stock(stream, progress, group, limit)
  if stock.unbooked > 0 then increase(progress, 'lost:' .. group, stock.unbooked) end
  redis.call('HSET', progress, 'added_before', whole(stock.before), 'added_seen', whole(stock.added_here), 'last_seen', stock.last)

  local oldest = oldest_unfinished(stream, group, stock.delivered)
  local until_id = whole(math.max(now_ms() - tonumber(keep_ms), 0)) .. '-0'
  if oldest and is_before(oldest, until_id) then until_id = oldest end
  local processed, lost, events = redis.call('XTRIM', stream, 'MINID', '~', until_id), 0, 0
  -- If the time limit dropped entries, that may have been enough for the memory limit.
  if processed == 0 then
    oldest = oldest or whole(now_ms() + 1) .. '-0'
    processed, lost, events = trim_by_memory(stream, progress, group, stock.delivered, oldest, tonumber(max_bytes), size)
  end
  -- Processed entries are neither pending nor unread, so dropping them changes no figure.
  local reply = figures_of(lost > 0 and take_stock(stream, progress, group, limit) or stock)
  for _, figure in ipairs({processed, lost, events, stock.unbooked, size}) do reply[#reply + 1] = figure end
  return reply
end

redis.register_function({function_name = 'baro_retain_1', callback = retain, flags = {'allow-oom'}})
