-- The account of a stream, which baro_account_1 replies and baro_retain_1 keeps up to date.

local function numbers(key, names)
  local found = redis.call('HMGET', key, unpack(names))
  local by_name = {}
  for i, name in ipairs(names) do by_name[name] = counted(found[i]) end
  return by_name
end

-- Returns how many entries the group has not read, and whether that number is exact. `never` is the number of entries
-- that were neither read nor counted as lost: where all of them are still in the stream, nothing has to be counted.
local function count_unread(stream, facts, delivered, never, limit)
  local first, last = facts['first-entry'], facts['last-entry']
  if not first or not is_before(delivered, last[1]) then return 0, 1 end
  if is_before(delivered, first[1]) then return facts['length'], 1 end
  local count = #entries_after(stream, delivered, limit + 1)
  if count <= limit then return count, 1 end
  return math.max(never, count), 0
end

-- A deleted stream counts from 0 again; `progress` keeps the number of entries that it had counted before.
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
  local last_seen = held_id(progress, 'last_seen') or '0-0'
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
