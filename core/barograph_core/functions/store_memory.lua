-- The memory of closed panes: it is weighed block by block, and blocks are dropped when it exceeds its bound.

-- baro_weigh_1: record the memory of blocks of closed panes, as the server's allocator counts it.
-- KEYS     store weights block...
--          store, a hash for people and `barograph status`:
--            bytes:<step_ms>, blocks:<step_ms>                  what all blocks of a step take now
--            dropped_bytes:<step_ms>, dropped_blocks:<step_ms>  what was dropped
--            bound_bytes                                        the bound, to compare with
--          weights, a hash: bytes by service:step_ms:start_ms
-- ARGV     bound_bytes service:step_ms:start_ms(one for each block)
--          bound_bytes: "" leaves the stored one as it is
-- Replies  the hash `store`, flat
-- Cost     O(panes in the blocks). allow-oom: it writes a few bytes, and dropping needs them.
-- A block that has expired or was deleted is removed from both hashes.
local FIRST_WEIGHED = 2

-- Returns the blocks, each with its key, step and size; or nil and an error reply.
local function parse_weighed(keys, args)
  local blocks = {}
  for i = FIRST_WEIGHED, #args do
    local key, name = keys[i + 1], args[i]
    local size, problem = memory_of(key, 0)
    if problem then return nil, problem end
    local step = string.match(name, '^[^:]+:(%d+):%d+$')
    if not step then return nil, fail('argument ' .. i .. ' must be service:step_ms:start_ms') end
    blocks[#blocks + 1] = {name = name, step = step, size = size}
  end
  return blocks
end

local function weigh(keys, args)
  local store, weights = keys[1], keys[2]
  local bound_bytes = args[1]
  local problem = wrong_type({{store, 'hash'}, {weights, 'hash'}})
    or (bound_bytes ~= '' and not_whole('bound_bytes', bound_bytes))
  if problem then return problem end
  if #args - 1 ~= #keys - 2 then return fail('each block needs its name') end
  local blocks, refused = parse_weighed(keys, args)
  if refused then return refused end
  for _, block in ipairs(blocks) do
    local held = counted(redis.call('HGET', weights, block.name))
    if block.size > 0 then redis.call('HSET', weights, block.name, block.size) else redis.call('HDEL', weights, block.name) end
    if block.size ~= held then increase(store, 'bytes:' .. block.step, block.size - held) end
    local more = (block.size > 0 and 1 or 0) - (held > 0 and 1 or 0)
    if more ~= 0 then increase(store, 'blocks:' .. block.step, more) end
  end
  if bound_bytes ~= '' then redis.call('HSET', store, 'bound_bytes', bound_bytes) end
  return redis.call('HGETALL', store)
end

redis.register_function({function_name = 'baro_weigh_1', callback = weigh, flags = {'allow-oom'}})

-- baro_drop_1: drop blocks of closed panes before the end of their retention, to free memory.
-- KEYS     store weights open rollups block...
-- ARGV     service:step_ms:start_ms span_ms(two for each block)
-- Replies  {blocks dropped, bytes freed}
-- Cost     O(blocks + panes to close). allow-oom: it frees memory.
-- Keeps a block while its service has still something to close at or before the block's end: late events are on their way
-- into it. kept_from_ms:<step_ms> in `store` is the end of the newest block dropped: from there on all panes are kept.
local HEAD_KEYS = 4

-- Returns the end of each service's first pane or roll-up to close.
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

-- Returns the blocks, each with its key; or nil and an error reply; then the latest of their ends.
local function parse_dropped(keys, args)
  local blocks, last = {}, 0
  for i = 1, #args, 2 do
    local name, span_ms = args[i], args[i + 1]
    local service, step, start = string.match(name, '^([^:]+):(%d+):(%d+)$')
    if not service then return nil, fail('argument ' .. i .. ' must be service:step_ms:start_ms') end
    local problem = not_whole('span_ms', span_ms)
    if problem then return nil, problem end
    local finish = tonumber(start) + tonumber(span_ms)
    blocks[#blocks + 1] = {name = name, key = keys[HEAD_KEYS + 1 + #blocks], service = service, step = step, finish = finish}
    last = math.max(last, finish)
  end
  if #blocks ~= #keys - HEAD_KEYS then return nil, fail('each block needs its key') end
  return blocks, nil, last
end

local function drop_block(store, weights, block, size)
  redis.call('UNLINK', block.key)
  redis.call('HDEL', weights, block.name)
  increase(store, 'bytes:' .. block.step, -size)
  increase(store, 'blocks:' .. block.step, -1)
  increase(store, 'dropped_blocks:' .. block.step, 1)
  increase(store, 'dropped_bytes:' .. block.step, size)
  local field = 'kept_from_ms:' .. block.step
  if counted(redis.call('HGET', store, field)) < block.finish then
    redis.call('HSET', store, field, whole(block.finish))
  end
end

local function drop(keys, args)
  local store, weights, open, rollups = keys[1], keys[2], keys[3], keys[4]
  local problem = wrong_type({{store, 'hash'}, {weights, 'hash'}, {open, 'zset'}, {rollups, 'zset'}})
  if problem then return problem end
  local blocks, refused, last = parse_dropped(keys, args)
  if refused then return refused end
  local waiting, dropped, freed = soonest({open, rollups}, last), 0, 0
  for _, block in ipairs(blocks) do
    local size = counted(redis.call('HGET', weights, block.name))
    if size > 0 and (waiting[block.service] or math.huge) > block.finish then
      drop_block(store, weights, block, size)
      dropped, freed = dropped + 1, freed + size
    end
  end
  return {dropped, freed}
end

redis.register_function({function_name = 'baro_drop_1', callback = drop, flags = {'allow-oom'}})
