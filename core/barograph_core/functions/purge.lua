-- baro_purge_1: find the entries of a service on any stream, or delete them, some hundreds at a time.
-- KEYS     stream
-- ARGV     service mode(look|delete) from until count transition...
--          An entry is the service's when its field `service` equals it, its field `transition` is one of those given, or
--          its field `notification` (of a dead letter) is of an alert of the service. Hints that name several services are
--          not deleted.
-- Replies  {id to go on from or "" at the end, entries found, {instance...}, {transition...}, {alert id...}} of those found
-- Cost     O(count entries). allow-oom: it frees memory.
local FIRST_TRANSITION = 6

local function set_of(args, first)
  local set = {}
  for i = first, #args do set[args[i]] = true end
  return set
end

local function list_of(set)
  local list = {}
  for item in pairs(set) do list[#list + 1] = item end
  return list
end

local function notified_service(notification)
  local is_read, item = pcall(cjson.decode, notification)
  local entry = is_read and type(item) == 'table' and item.entry
  return type(entry) == 'table' and entry.service or nil
end

local function is_of(fields, service, transitions)
  if fields['service'] == service or transitions[fields['transition'] or false] then return true end
  return fields['notification'] and notified_service(fields['notification']) == service
end

local function purge(keys, args)
  local stream = keys[1]
  local service, mode, from, until_id, transitions = args[1], args[2], args[3], args[4], set_of(args, FIRST_TRANSITION)
  local count, refused = count_of('count', args[5], MOST_ENTRIES)
  local problem = refused or wrong_type({{stream, 'stream'}})
  if problem then return problem end
  if mode ~= 'look' and mode ~= 'delete' then return fail('unknown mode ' .. tostring(mode)) end
  local found, seen = {}, {instance = {}, transition = {}, alert_id = {}}
  local page = redis.call('XRANGE', stream, from, until_id, 'COUNT', count)
  for _, entry in ipairs(page) do
    local fields = pairs_of(entry[2])
    if is_of(fields, service, transitions) then
      found[#found + 1] = entry[1]
      for name, set in pairs(seen) do
        if fields[name] then set[fields[name]] = true end
      end
    end
  end
  if mode == 'delete' and #found > 0 then redis.call('XDEL', stream, unpack(found)) end
  local after = #page == count and '(' .. page[#page][1] or ''
  return {after, #found, list_of(seen.instance), list_of(seen.transition), list_of(seen.alert_id)}
end

redis.register_function({function_name = 'baro_purge_1', callback = purge, flags = {'allow-oom'}})
