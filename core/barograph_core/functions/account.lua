-- baro_account_1: count the entries of a stream by their state at one moment:
-- added = committed + dead + lost + pending + unread.
-- KEYS     stream progress
-- ARGV     group limit
--          limit: count unread entries exactly up to this number
-- Replies  {added, committed, dead, lost, pending, unread, lost_counted, lost_events, is_counted, last id}; nil when there
--          is no such stream or group
--          lost: entries trimmed while pending or unread; lost_counted of them were trimmed by us and held lost_events
--          events; is_counted: 0 when more than `limit` entries are unread. Entries in the middle of such a backlog that
--          another client trimmed then count as unread until the backlog is worked off.
-- Cost     O(limit entries, whole): to count an entry the server copies it, up to 1 MiB. Callers keep to 100.
local function account(keys, args)
  local stream, progress = keys[1], keys[2]
  local group = args[1]
  local limit, problem = count_of('limit', args[2], MOST_ENTRIES)
  if problem then return problem end
  local stock = take_stock(stream, progress, group, limit)
  return stock and figures_of(stock) or false
end

redis.register_function({function_name = 'baro_account_1', callback = account, flags = {'no-writes'}})
