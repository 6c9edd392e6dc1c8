-- baro_silence_1: write silences if each is as it was read, with an entry for each change, in one step.
-- KEYS     silences alerts once
-- ARGV     most request answer once_ms keep_ms then for each silence: id expected next k field value ...
--          most: how many silences there may be; expected: its text as it was read, "" none; next: its text from now on, ""
--          deletes it with its hits; k counts fields and values of the entry, 0: no entry
--          request, answer, once_ms: as in baro_act_1, answer: what a repetition is told
-- Replies  {"ok"} | {"stale", id}: this one is another by now | {"full"} | {"done", answer} | {"other"}
-- Cost     O(silences written). allow-oom: people mute a storm when the server is full, and ends free memory.
local HEAD, ITEM, MOST_FIELDS = 5, 4, 100

-- Returns the changes, or nil and an error reply.
local function parse_silences(args)
  local changes, at = {}, HEAD + 1
  while at <= #args do
    local k, problem = count_of('k', args[at + 3], math.min(MOST_FIELDS, #args - at - ITEM + 1))
    if not k then return nil, problem end
    if k % 2 ~= 0 or string.find(args[at], ':', 1, true) then return nil, fail('a silence cannot be written so') end
    local fields = slice(args, at + ITEM, at + ITEM - 1 + k)
    changes[#changes + 1] = {id = args[at], expected = args[at + 1], next = args[at + 2], fields = fields}
    at = at + ITEM + k
  end
  return changes
end

local function count_silences(silences)
  local count = 0
  for _, field in ipairs(redis.call('HKEYS', silences)) do
    if not string.find(field, ':', 1, true) then count = count + 1 end
  end
  return count
end

local function silence(keys, args)
  local silences, alerts, once = keys[1], keys[2], keys[3]
  local most, request, answer, once_ms, keep_ms = args[1], args[2], args[3], args[4], args[5]
  local problem = wrong_type({{silences, 'hash'}, {alerts, 'stream'}, {once, 'string'}})
    or not_whole('most', most, 'once_ms', once_ms, 'keep_ms', keep_ms) or is_used_up(alerts)
  if problem then return problem end
  local changes, unreadable = parse_silences(args)
  if unreadable then return unreadable end
  local done = done_before(once, request, once_ms)
  if done then return done end
  local more = 0
  for _, change in ipairs(changes) do
    if (redis.call('HGET', silences, change.id) or '') ~= change.expected then return {'stale', change.id} end
    if change.expected == '' and change.next ~= '' then more = more + 1 end
  end
  if more > 0 and count_silences(silences) + more > tonumber(most) then return {'full'} end

  for _, change in ipairs(changes) do
    if change.next == '' then
      redis.call('HDEL', silences, change.id, 'hits:' .. change.id)
    else
      redis.call('HSET', silences, change.id, change.next)
    end
    if #change.fields > 0 then add(alerts, now_ms(), keep_ms, change.fields) end
  end
  note_done(once, request, answer, once_ms)
  return {'ok'}
end

redis.register_function({function_name = 'baro_silence_1', callback = silence, flags = {'allow-oom'}})
