-- The layout of the shards changes in two steps: every shard's epoch is raised, which makes producers wait, and
-- then the layout of that epoch is written.

-- baro_epoch_1: raises a shard's epoch, never lowers it.
-- KEYS epoch      ARGV epoch
-- Replies the epoch that holds. Cost: O(1).
local function raise_epoch(keys, args)
  local wrong_argument = not_whole(args, {1})
  if wrong_argument then return wrong_argument end
  local held = tonumber(redis.call('GET', keys[1]) or '0')
  if held >= tonumber(args[1]) then return held end
  redis.call('SET', keys[1], args[1])
  return tonumber(args[1])
end

redis.register_function('baro_epoch_1', raise_epoch)

-- baro_reopen_1: takes back the epoch of a change that comes to nothing, unless a later change has raised it further.
-- KEYS epoch      ARGV epoch_of_the_change epoch_before
-- Replies 1 | 0. Cost: O(1).
local function reopen(keys, args)
  local wrong_argument = not_whole(args, {1, 2})
  if wrong_argument then return wrong_argument end
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  redis.call('SET', keys[1], args[2])
  return 1
end

redis.register_function('baro_reopen_1', reopen)

-- baro_layout_1: compare-and-set of the layout.
-- KEYS meta      ARGV expected_epoch epoch tags extra then for each pin: service tag
-- Replies {"ok", epoch} | {"stale", epoch}: somebody else changed it meanwhile. Cost: O(pins).
local function write_layout(keys, args)
  local wrong_argument = not_whole(args, {1, 2})
  if wrong_argument then return wrong_argument end
  if #args < 4 or #args % 2 ~= 0 then return fail('pins come in pairs of service and tag') end
  local wrong = wrong_type({{keys[1], 'hash'}})
  if wrong then return fail(wrong) end
  local held = redis.call('HGET', keys[1], 'epoch') or '0'
  if tonumber(held) ~= tonumber(args[1]) then return {'stale', held} end
  redis.call('DEL', keys[1])
  redis.call('HSET', keys[1], 'epoch', args[2], 'tags', args[3], 'extra', args[4])
  for at = 5, #args, 2 do redis.call('HSET', keys[1], 'pin:' .. args[at], args[at + 1]) end
  return {'ok', args[2]}
end

redis.register_function('baro_layout_1', write_layout)

-- baro_services_1: the services of entries that are not committed yet, a page at a time.
-- KEYS events      ARGV group after limit
--      after: id of the last entry seen, "" at first
-- Replies {id to go on after or "" at the end, service...}. Cost: O(limit entries, whole). Callers keep to 100.
local function unread_services(keys, args)
  local wrong_argument = not_whole(args, {3})
  if wrong_argument then return wrong_argument end
  local from = args[2] == '' and '-' or '(' .. args[2]
  if args[2] == '' then
    local info = group_info(keys[1], args[1])
    if info then from = oldest_unfinished(keys[1], args[1], info['last-delivered-id']) end
    if not from then return {''} end
  end
  local page = redis.call('XRANGE', keys[1], from, '+', 'COUNT', args[3])
  local reply, seen = {#page == tonumber(args[3]) and page[#page][1] or ''}, {}
  for _, entry in ipairs(page) do
    local service = pairs_of(entry[2])['service']
    if service and not seen[service] then
      seen[service] = true
      reply[#reply + 1] = service
    end
  end
  return reply
end

redis.register_function({function_name = 'baro_services_1', callback = unread_services, flags = {'no-writes'}})
