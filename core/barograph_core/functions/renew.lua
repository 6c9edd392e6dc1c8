-- baro_renew_1: begin the events stream again, so that its ids follow the server's clock once more. Ids never go back: after
-- one from the future no entry expires by time, and after the last possible one nothing can be appended at all.
-- KEYS     events progress
-- ARGV     group most_ahead_ms
-- Replies  {"ok", entries dropped} | {"behind", oldest id not finished} | {"right", last id}: not that far ahead
-- Cost     O(entries, to free them). allow-oom: it frees memory.
-- Drops processed entries only: a replay lacks them. The account goes on.
local function renew(keys, args)
  local events, progress = keys[1], keys[2]
  local group, most_ahead_ms = args[1], args[2]
  local problem = wrong_type({{events, 'stream'}, {progress, 'hash'}}) or not_whole('most_ahead_ms', most_ahead_ms)
  if problem then return problem end
  local stock = take_stock(events, progress, group, 0)
  if not stock then return {'right', ''} end
  if split_id(stock.last) <= now_ms() + tonumber(most_ahead_ms) then return {'right', stock.last} end
  local oldest = oldest_unfinished(events, group, stock.delivered)
  if oldest then return {'behind', oldest} end
  if stock.unbooked > 0 then increase(progress, 'lost:' .. group, stock.unbooked) end
  local dropped = redis.call('XLEN', events)
  redis.call('DEL', events)
  redis.call('XGROUP', 'CREATE', events, group, '0', 'MKSTREAM')
  redis.call('HSET', progress, 'added_before', whole(stock.added), 'added_seen', '0', 'last_seen', '0-0')
  redis.call('HDEL', progress, 'finished:' .. group, 'ahead:' .. group)
  -- All entries from before a deletion are finished, and the ids to come are lower.
  for _, field in ipairs(redis.call('HKEYS', progress)) do
    if field == 'deleted' or string.sub(field, 1, 8) == 'deleted:' then redis.call('HSET', progress, field, '0-0') end
  end
  return {'ok', dropped}
end

redis.register_function({function_name = 'baro_renew_1', callback = renew, flags = {'allow-oom'}})
