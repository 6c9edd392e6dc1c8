-- baro_services_1: list the services of entries that are not committed yet, a page at a time.
-- KEYS     events
-- ARGV     group after limit
--          after: id of the last entry seen, "" at first
-- Replies  {id to go on after or "" at the end, service...}
-- Cost     O(limit entries, whole). Callers keep to 100.
local function unread_services(keys, args)
  local events = keys[1]
  local group, after = args[1], args[2]
  local limit, problem = count_of('limit', args[3], MOST_ENTRIES)
  if problem then return problem end
  local from = '(' .. after
  if after == '' then
    local info = group_info(events, group)
    from = '-'
    if info then from = oldest_unfinished(events, group, info['last-delivered-id']) end
    if not from then return {''} end
  end
  local page = redis.call('XRANGE', events, from, '+', 'COUNT', limit)
  local reply, seen = {#page == limit and page[#page][1] or ''}, {}
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
