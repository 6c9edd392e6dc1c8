-- baro_weigh_1: note the memory of blocks of closed panes, as the server's allocator counts it.
-- KEYS store weights block...      ARGV bound_bytes service:step_ms:start_ms(one for each block)
--      bound_bytes: "" leaves it as it is; store: bytes:<step_ms> and blocks:<step_ms> in all, what was dropped, and bound_bytes, for people to compare with
--      weights: bytes by service:step_ms:start_ms
-- Replies the hash `store`, flat. A block that has expired or was deleted is taken off. Cost: O(panes in the blocks).
-- allow-oom: it writes a few bytes, and dropping needs them.
local function weigh(keys, args)
  local wrong = wrong_type({{keys[1], 'hash'}, {keys[2], 'hash'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, args[1] == '' and {} or {1})
  if wrong_argument then return wrong_argument end
  if #args - 1 ~= #keys - 2 then return fail('each block needs its name') end
  local sizes, steps = {}, {}
  for i = 2, #args do
    local size, problem = memory_of(keys[i + 1], 0)
    if problem then return problem end
    steps[i] = string.match(args[i], '^[^:]+:(%d+):%d+$')
    if not steps[i] then return fail('argument ' .. i .. ' must be service:step_ms:start_ms') end
    sizes[i] = size
  end
  for i = 2, #args do
    local held = tonumber(redis.call('HGET', keys[2], args[i]) or '0')
    if sizes[i] > 0 then redis.call('HSET', keys[2], args[i], sizes[i]) else redis.call('HDEL', keys[2], args[i]) end
    if sizes[i] ~= held then redis.call('HINCRBY', keys[1], 'bytes:' .. steps[i], whole(sizes[i] - held)) end
    local more = (sizes[i] > 0 and 1 or 0) - (held > 0 and 1 or 0)
    if more ~= 0 then redis.call('HINCRBY', keys[1], 'blocks:' .. steps[i], more) end
  end
  if args[1] ~= '' then redis.call('HSET', keys[1], 'bound_bytes', args[1]) end
  return redis.call('HGETALL', keys[1])
end

redis.register_function({function_name = 'baro_weigh_1', callback = weigh, flags = {'allow-oom'}})

-- baro_drop_1: drop blocks of closed panes before the end of their retention, to make room.
-- KEYS store weights open rollups block...
-- ARGV service:step_ms:start_ms span_ms(two for each block)
-- Replies {blocks dropped, bytes freed}. A block of a service that has still something to close at or before the block's
-- end is passed over: late events are on their way into it. kept_from_ms:<step_ms> says from when on nothing was dropped.
-- Cost: O(blocks + panes to close). allow-oom: it frees memory.
local function soonest(queues, last)
  local by_service = {}
  for _, queue in ipairs(queues) do
    local found = redis.call('ZRANGEBYSCORE', queue, '-inf', whole(last), 'WITHSCORES')
    for i = 1, #found, 2 do
      local service, finish = string.match(found[i], '^([^:]+):'), tonumber(found[i + 1])
      if service then by_service[service] = math.min(by_service[service] or finish, finish) end
    end
  end
  return by_service
end

local function parse_blocks(args)
  local blocks, last = {}, 0
  for i = 1, #args, 2 do
    local service, step, start = string.match(args[i], '^([^:]+):(%d+):(%d+)$')
    local wrong_argument = not_whole(args, {i + 1})
    if not service or wrong_argument then return nil, wrong_argument or fail('argument ' .. i .. ' is not the name of a block') end
    local finish = tonumber(start) + tonumber(args[i + 1])
    blocks[#blocks + 1] = {name = args[i], service = service, step = step, finish = finish}
    last = math.max(last, finish)
  end
  return blocks, nil, last
end

local function drop(keys, args)
  local wrong = wrong_type({{keys[1], 'hash'}, {keys[2], 'hash'}, {keys[3], 'zset'}, {keys[4], 'zset'}})
  if wrong then return fail(wrong) end
  local blocks, problem, last = parse_blocks(args)
  if problem then return problem end
  if #blocks ~= #keys - 4 then return fail('each block needs its key') end
  local waiting, dropped, freed = soonest({keys[3], keys[4]}, last), 0, 0
  for i, block in ipairs(blocks) do
    local size = tonumber(redis.call('HGET', keys[2], block.name) or '0')
    if size > 0 and (waiting[block.service] or math.huge) > block.finish then
      redis.call('UNLINK', keys[i + 4])
      redis.call('HDEL', keys[2], block.name)
      redis.call('HINCRBY', keys[1], 'bytes:' .. block.step, -size)
      redis.call('HINCRBY', keys[1], 'blocks:' .. block.step, -1)
      redis.call('HINCRBY', keys[1], 'dropped_blocks:' .. block.step, 1)
      redis.call('HINCRBY', keys[1], 'dropped_bytes:' .. block.step, size)
      local field = 'kept_from_ms:' .. block.step
      if tonumber(redis.call('HGET', keys[1], field) or '0') < block.finish then
        redis.call('HSET', keys[1], field, whole(block.finish))
      end
      dropped, freed = dropped + 1, freed + size
    end
  end
  return {dropped, freed}
end

redis.register_function({function_name = 'baro_drop_1', callback = drop, flags = {'allow-oom'}})
