-- baro_account_1: what became of every entry of a stream, as of one moment:
-- added = committed + dead + lost + pending + unread.
-- KEYS stream progress      ARGV group limit
-- Replies {added, committed, dead, lost, pending, unread, lost_counted, lost_events, is_counted, last id}; nil when there is no
-- such stream or group. `lost` holds what was trimmed while pending, and what was trimmed unread; lost_counted of them were
-- trimmed by us and held lost_events events. Unread entries are counted up to `limit`; behind a longer backlog
-- (is_counted 0) what was trimmed unread by somebody else in its midst shows as unread until the backlog is worked off.
-- Cost: O(limit entries, whole): the server copies each, up to 1 MiB, only to count it. Callers keep to 100.
local function numbers(key, names)
  local found = redis.call('HMGET', key, unpack(names))
  local by_name = {}
  for i, name in ipairs(names) do by_name[name] = tonumber(found[i] or '0') end
  return by_name
end

-- Returns how many entries the group has not read and whether that is certain. `never` entries were neither read nor
-- booked as lost, so that nothing has to be counted where they are all still there.
local function count_unread(stream, facts, delivered, never, limit)
  local first, last = facts['first-entry'], facts['last-entry']
  if not first or not is_before(delivered, last[1]) then return 0, 1 end
  if is_before(delivered, first[1]) then return facts['length'], 1 end
  local count = #redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', limit + 1)
  if count <= limit then return count, 1 end
  return math.max(never, count), 0
end

-- A stream that was deleted counts from 0 again; what it had counted is remembered.
local function is_another_stream(facts, added_seen, last_seen)
  local added, first = facts['entries-added'], facts['first-entry']
  -- Nothing was ever trimmed from it, and all of it came later.
  local is_all_later = first and added == facts['length'] and is_before(last_seen, first[1])
  return added < added_seen or (added_seen > 0 and is_all_later)
end

local function take_stock(stream, progress, group, limit)
  local info = group_info(stream, group)
  if not info then return nil end
  local lost, counted, events = 'lost:' .. group, 'lost_counted:' .. group, 'lost_events:' .. group
  local held = numbers(progress, {'committed', 'dead:' .. group, lost, counted, events, 'added_before', 'added_seen'})
  local last_seen = redis.call('HGET', progress, 'last_seen') or '0-0'
  local facts = pairs_of(redis.call('XINFO', 'STREAM', stream))
  local stock = {
    added_here = facts['entries-added'], before = held['added_before'], committed = held['committed'],
    dead = held['dead:' .. group], lost = held[lost], pending = info['pending'], counted = held[counted],
    events = held[events], delivered = info['last-delivered-id'], last = facts['last-generated-id'],
  }
  if is_another_stream(facts, held['added_seen'], last_seen) then stock.before = stock.before + held['added_seen'] end
  stock.added = stock.before + stock.added_here
  local never = stock.added - stock.committed - stock.dead - stock.lost - stock.pending
  stock.unread, stock.is_counted = count_unread(stream, facts, stock.delivered, never, limit)
  stock.unbooked = math.max(0, never - stock.unread)
  return stock
end

local function figures_of(stock)
  return {
    stock.added, stock.committed, stock.dead, stock.lost + stock.unbooked, stock.pending, stock.unread, stock.counted,
    stock.events, stock.is_counted, stock.last,
  }
end

local function account(keys, args)
  local wrong_argument = not_whole(args, {2})
  if wrong_argument then return wrong_argument end
  local stock = take_stock(keys[1], keys[2], args[1], tonumber(args[2]))
  return stock and figures_of(stock) or false
end

redis.register_function({function_name = 'baro_account_1', callback = account, flags = {'no-writes'}})

-- baro_retain_1: drop what is past its retention by time or by memory, book every entry that was lost, whoever trimmed it.
-- KEYS stream progress
-- ARGV group keep_ms max_bytes limit last_id added committed dead lost lost_counted lost_events
--      max_bytes: 0 for no bound; limit: most unread entries counted; the rest: the account as the caller saw it last, which
--      is put back when a flush took the counters; all 0 when the caller saw none.
-- Replies what baro_account_1 does, and after it {processed, overtaken, overtaken_events, booked, size_bytes}: how many entries
-- were dropped as processed, dropped though the group was not done with them, found to be trimmed by somebody else, and the
-- stream's memory before. nil when there is no such stream or group.
-- By time only what is processed is dropped, whole radix nodes at a time. By memory too, and when that is not enough, the oldest
-- entries that are not: at most 1,000 a call, acknowledged and counted in events before they go. Cost: O(entries dropped + limit).
-- allow-oom: it frees memory.
local SAMPLES, MOST_OVERTAKEN, MOST_BYTES = 50, 1000, 4194304
-- Of the entries to drop; more than those, because the list may hold some that were trimmed by others.
local MOST_PENDING = 10000
-- XTRIM ~ drops whole nodes of up to 100 entries (unless the server is told otherwise), or none at all.
local LEAST_AT_ONCE = 200

-- Counts, acknowledges and drops the oldest entries, whatever their state. Returns dropped, lost, events of the lost.
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
      if string.match(fields['n'] or '', '^%d%d?%d?%d?$') then
        counted = counted + 1
        events = events + tonumber(fields['n'])
      end
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
    redis.call('HINCRBY', progress, 'lost:' .. group, lost)
    redis.call('HINCRBY', progress, 'lost_counted:' .. group, counted)
    redis.call('HINCRBY', progress, 'lost_events:' .. group, events)
  end
  return dropped - lost, lost, events
end

-- After a flush the caller's memory may come behind the look of somebody who remembers nothing. A replica that lags is none:
-- some of its entries are older than what the caller has seen.
local function is_forgotten(stream, progress, args)
  local held = numbers(progress, {'added_before', 'added_seen', 'put_back'})
  if held['put_back'] == 1 or held['added_before'] + held['added_seen'] >= tonumber(args[6]) then return false end
  local facts = pairs_of(redis.call('XINFO', 'STREAM', stream))
  local first = facts['first-entry']
  return first and facts['entries-added'] == facts['length'] and is_before(args[5], first[1])
end

local function put_back(stream, progress, group, args)
  if args[6] == '0' then return end
  local added = 'added_seen'
  if redis.call('HEXISTS', progress, 'added_seen') == 1 then
    if not is_forgotten(stream, progress, args) then return end
    added = 'added_before'
  else
    redis.call('HSET', progress, 'last_seen', args[5])
  end
  -- What was committed since the flush is counted on: the old figures come on top.
  local names = {added, 'committed', 'dead:' .. group, 'lost:' .. group, 'lost_counted:' .. group, 'lost_events:' .. group}
  for i, name in ipairs(names) do redis.call('HINCRBY', progress, name, args[i + 5]) end
  -- Others remember too, and the next one may have seen more.
  redis.call('HSET', progress, 'put_back', 1)
end

local function retain(keys, args)
  local wrong = wrong_type({{keys[1], 'stream'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {2, 3, 4, 6, 7, 8, 9, 10, 11})
  if wrong_argument then return wrong_argument end
  if not split_id(args[5]) then return fail('argument 5 must be an entry id') end
  local stream, progress, group = keys[1], keys[2], args[1]
  if not group_info(stream, group) then return false end
  local size, problem = memory_of(stream, SAMPLES)
  if problem then return problem end
  put_back(stream, progress, group, args)
  local stock = take_stock(stream, progress, group, tonumber(args[4]))
  if stock.unbooked > 0 then redis.call('HINCRBY', progress, 'lost:' .. group, stock.unbooked) end
  redis.call('HSET', progress, 'added_before', whole(stock.before), 'added_seen', whole(stock.added_here), 'last_seen', stock.last)

  local oldest = oldest_unfinished(stream, group, stock.delivered)
  local limit = whole(math.max(now_ms() - tonumber(args[2]), 0)) .. '-0'
  if oldest and is_before(oldest, limit) then limit = oldest end
  local processed, lost, events = redis.call('XTRIM', stream, 'MINID', '~', limit), 0, 0
  -- What went by time may have been enough.
  if processed == 0 then
    oldest = oldest or whole(now_ms() + 1) .. '-0'
    processed, lost, events = trim_by_memory(stream, progress, group, stock.delivered, oldest, tonumber(args[3]), size)
  end
  -- What was processed counted neither as pending nor as unread, so that its going changes no figure.
  local reply = figures_of(lost > 0 and take_stock(stream, progress, group, tonumber(args[4])) or stock)
  for _, figure in ipairs({processed, lost, events, stock.unbooked, size}) do reply[#reply + 1] = figure end
  return reply
end

redis.register_function({function_name = 'baro_retain_1', callback = retain, flags = {'allow-oom'}})
