-- baro_release_1: give a lease back if it is still ours, and set when its group of the outbox is due again.
-- KEYS     lease [outbox items]
-- ARGV     token [member due_ms]
-- Replies  1 | 0
-- Cost     O(log n). allow-oom: it frees memory.
-- Notifiers of the version before end a turn with it. They know no group of several alerts, so they must not end its wait.
local function is_of_several(member)
  return #member == 17 and string.sub(member, 1, 1) == 'g'
end

local function release(keys, args)
  local lease, outbox, items = keys[1], keys[2], keys[3]
  local token, member, due_ms = args[1], args[2], args[3]
  local problem = wrong_type({{lease, 'string'}, outbox and {outbox, 'zset'}, items and {items, 'hash'}})
    or (due_ms and not_whole('due_ms', due_ms))
  if problem then return problem end
  if redis.call('GET', lease) ~= token then return 0 end
  if items and due_ms then
    -- Count here, in the same step: an item that came in meanwhile must not lose its group's place in the outbox.
    if count_items(items) > 0 then
      redis.call('ZADD', outbox, 'XX', due_ms, member)
    elseif not is_of_several(member) then
      redis.call('ZREM', outbox, member)
    end
  end
  return redis.call('DEL', lease)
end

redis.register_function({function_name = 'baro_release_1', callback = release, flags = {'allow-oom'}})
