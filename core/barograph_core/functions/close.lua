-- baro_close_1: close panes, or roll-ups, of one service by compare-and-set: in order, up to the first that cannot be closed.
-- KEYS     open rollups closed producers metrics progress heard blocks, then for each pane: parts block above covering
--          parts: the parts it is made from; above: the parts of its roll-up; covering: the parts of the finest roll-up
--          that is still kept
-- ARGV     service base_step_ms no_data_ms metrics_keep_ms longest_keep_ms deletions mark, then for each pane:
--          step_ms start_ms block_start_ms token revision keep_ms above_step_ms covering_step_ms blob news k field value ...
--          deletions: number of services ever deleted, read before the parts were
--          mark: begins the parts that this call adds to roll-ups; new for each call
--          token: the mark of the last part in `blob` (store/parts.py), "" for none. Lists only grow or are deleted as a
--          whole, so the last part identifies all of them.
--          revision: of the stored pane that `blob` includes, -1 for none
--          above_step_ms: 0 when there is no coarser step; covering_step_ms: 0 while the pane's own retention lasts
--          news: the summary that the roll-up still lacks, "" when it is `blob`
--          k: number of fields and values. Those of a pane of the base step go into its closed entry; those of a roll-up
--          are the name and the record of each series. A record begins with two bytes: the place of the pane in its
--          block (store/figure_records.py).
-- Replies  for each pane, up to the first that is not closed:
--          {"ok", revision, missing} | {"over"}: its retention has ended, a coarser step received it
--          An empty pane that is stored already closes with the revision it has: only the cursor passes it.
--          | {"changed"}: another client closed, committed or deleted meanwhile; read again
--          | {"hole", closed_through_ms}: instances are missing in the empty panes before this one; close those first, so
--          that each records how many are missing
-- Cost     O(panes * (log n + size of blob)); a roll-up also O(records of its series in the block)
-- allow-oom: closing frees the parts.
local HEAD_KEYS, PANE_KEYS, HEAD_ARGS, PANE_ARGS = 8, 4, 7, 11
local MARK_BYTES = 8
-- Limit of the fields and values of one pane, which holds up to 100,000 series.
local MOST_FIELDS = 200000
local FIGURES_AT_ONCE = 500
-- Layout of what stands before the records in a field of figures (store/figure_records.py): two bytes for their size, and one
-- that no record has in its place.
local SIZE_BYTES, SIZE_MARK = 3, 255
-- Sizes of the records in fields that do not state it. Never to be changed: they were written before any kind could grow.
local UNSTATED_SIZES = {request = 63, model = 187, system = 539, custom = 55}

-- Returns the pane whose arguments begin at `at` and whose keys begin at `key`, or nil and an error reply; then where the
-- next pane begins.
local function parse_pane(call, keys, args, at, key)
  local parts, block, above, covering = keys[key], keys[key + 1], keys[key + 2], keys[key + 3]
  local step_ms, start_ms, block_start_ms, token, revision = args[at], args[at + 1], args[at + 2], args[at + 3], args[at + 4]
  local keep_ms, above_step_ms, covering_step_ms = args[at + 5], args[at + 6], args[at + 7]
  local blob, news = args[at + 8], args[at + 9]
  local problem = not_whole(
    'step_ms', step_ms, 'start_ms', start_ms, 'block_start_ms', block_start_ms, 'keep_ms', keep_ms,
    'above_step_ms', above_step_ms, 'covering_step_ms', covering_step_ms
  )
  if problem then return nil, problem end
  local k, refused = count_of('k', args[at + 10], math.min(MOST_FIELDS, #args - at - 10))
  if refused then return nil, refused end
  if k % 2 ~= 0 or not tonumber(revision) or not covering then return nil, fail('a pane lacks keys, arguments or fields') end
  if #token ~= 0 and #token ~= MARK_BYTES then return nil, fail('a token is a mark or nothing') end
  local step, start = tonumber(step_ms), tonumber(start_ms)
  local is_base = step == tonumber(call.base_step_ms)
  local pane = {
    parts = parts, block = block, above = above, covering = covering, queue = is_base and call.open or call.rollups,
    step = step, start = start, finish = start + step, is_base = is_base, name = start_ms, block_start = block_start_ms,
    token = token, revision = tonumber(revision), keep_ms = keep_ms, above_step = tonumber(above_step_ms),
    covering_step = tonumber(covering_step_ms), blob = blob, news = news == '' and blob or news,
    fields = slice(args, at + PANE_ARGS, at + PANE_ARGS - 1 + k), member = call.service .. ':' .. step_ms .. ':' .. start_ms,
  }
  for i = 1, is_base and 0 or k, 2 do
    if string.sub(pane.fields[i], 1, 1) ~= '[' or #pane.fields[i + 1] < 2 then return nil, fail('a roll-up lacks its figures') end
  end
  problem = wrong_type({{parts, 'list'}, {block, 'hash'}, {above, 'list'}, {covering, 'list'}})
  if problem then return nil, problem end
  return pane, nil, at + PANE_ARGS + k
end

-- Returns the keys and arguments of the whole call by name, and its panes; or nil and an error reply.
local function parse(keys, args)
  local call = {
    open = keys[1], rollups = keys[2], closed = keys[3], producers = keys[4], metrics = keys[5], progress = keys[6],
    heard = keys[7], blocks = keys[8], service = args[1], base_step_ms = args[2], no_data_ms = args[3],
    metrics_keep_ms = args[4], longest_keep_ms = args[5], deletions = args[6], mark = args[7], panes = {},
  }
  local problem = not_whole(
    'base_step_ms', call.base_step_ms, 'no_data_ms', call.no_data_ms, 'metrics_keep_ms', call.metrics_keep_ms,
    'longest_keep_ms', call.longest_keep_ms, 'deletions', call.deletions
  )
  if problem then return nil, problem end
  if #(call.mark or '') ~= MARK_BYTES then return nil, fail('argument mark must have ' .. MARK_BYTES .. ' bytes') end
  problem = wrong_type({
    {call.open, 'zset'}, {call.rollups, 'zset'}, {call.closed, 'hash'}, {call.producers, 'zset'}, {call.metrics, 'stream'},
    {call.progress, 'hash'}, {call.heard, 'zset'}, {call.blocks, 'zset'},
  }) or is_used_up(call.metrics)
  if problem then return nil, problem end
  local at, key = HEAD_ARGS + 1, HEAD_KEYS + 1
  while at <= #args do
    local pane, refused, after = parse_pane(call, keys, args, at, key)
    if refused then return nil, refused end
    call.panes[#call.panes + 1], at, key = pane, after, key + PANE_KEYS
  end
  if key ~= #keys + 1 then return nil, fail('each pane needs four keys') end
  return call
end

local function last_mark(parts)
  return string.sub(redis.call('LINDEX', parts, -1) or '', 1, MARK_BYTES)
end

-- Returns the end of the service's newest closed pane, or nil. A service that comes back after it was retired goes on where it
-- was closed (retire.lua): it may come back with an event of an earlier time, and what is stored after that stays closed.
local function closed_through(call, pane)
  local through = redis.call('HGET', call.closed, call.service)
  if through then return tonumber(through) end
  if not pane.is_base or pane.token == '' or not redis.call('ZSCORE', pane.queue, pane.member) then return nil end
  local field = 'retired:' .. call.service
  through = redis.call('HGET', call.progress, field)
  if not through then return nil end
  redis.call('HSET', call.closed, call.service, through)
  redis.call('HDEL', call.progress, field)
  return tonumber(through)
end

-- Returns whether an empty pane that is next to close is stored already. The stored one holds all that came, so the cursor
-- passes it; refused, it would stop its service until the block expires.
local function is_stored_already(pane, through, stored)
  return pane.token == '' and pane.is_base and stored >= 0 and through and pane.start >= through
end

-- Returns the reply for a pane that cannot be closed as it was read, or nil.
local function refusal(call, pane, through, stored)
  if last_mark(pane.parts) ~= pane.token then return {'changed'} end
  if stored ~= pane.revision and not is_stored_already(pane, through, stored) then return {'changed'} end
  local is_first = pane.is_base and pane.start >= (through or 0)
  if pane.token == '' and not (is_first and through) then
    -- Only the next empty pane may close without parts. The remains of a deleted service must not come back.
    redis.call('ZREM', pane.queue, pane.member)
    return {'changed'}
  end
  if pane.token ~= '' and not redis.call('ZSCORE', pane.queue, pane.member) then return {'changed'} end
  -- A retired service has no `through`: its roll-ups close as the watermark passes them.
  if not pane.is_base and through and through < pane.finish then return {'changed'} end
  if is_first and through and pane.start > through and count_missing(call.producers, pane.start, call.no_data_ms) > 0 then
    return {'hole', whole(through)}
  end
  return nil
end

local function two_bytes(number)
  return string.char(number % 256, math.floor(number / 256))
end

-- Inserts `record` into `held`, whose first `head` bytes are no records: in the order of the panes, at most one a pane.
local function with_record(held, head, record)
  local size, at = #record, #held
  local low, high = string.byte(record, 1, 2)
  local place = low + 256 * high
  while at >= head + size do
    low, high = string.byte(held, at - size + 1, at - size + 2)
    if low + 256 * high < place then break end
    at = at - size
  end
  if at == #held then return held .. record end
  low, high = string.byte(held, at + 1, at + 2)
  local after = low + 256 * high == place and at + size or at
  return string.sub(held, 1, at) .. record .. string.sub(held, after + 1)
end

-- Returns the size of the records in a field of figures, and how many bytes stand before them.
local function record_size(name, held, size)
  if string.byte(held, SIZE_BYTES) == SIZE_MARK then
    local low, high = string.byte(held, 1, 2)
    return low + 256 * high, SIZE_BYTES
  end
  return UNSTATED_SIZES[string.match(name, '^%["(%a+)"')] or size, 0
end

-- Inserts a record into the figures of one series. Workers of two versions may write to one block, and one of them may know
-- fewer measures: its records are filled up with zeros, which is how a measure without values is written.
local function with_figures(name, held, record)
  local size = #record
  if not held then return two_bytes(size) .. string.char(SIZE_MARK) .. record end
  local held_size, head = record_size(name, held, size)
  -- No record is shorter than its place. A loop in steps of 0 would block the server for good.
  if held_size < 2 then return with_figures(name, nil, record) end
  if held_size > size then
    record = record .. string.rep('\0', held_size - size)
  elseif held_size < size or head == 0 then
    local parts, filling = {two_bytes(size), string.char(SIZE_MARK)}, string.rep('\0', size - held_size)
    for at = head + 1, #held, held_size do
      parts[#parts + 1] = string.sub(held, at, at + held_size - 1) .. filling
    end
    held, head = table.concat(parts), SIZE_BYTES
  end
  return with_record(held, head, record)
end

-- The number of missing instances is stored like one more series, but without a size. HMGET and HSET take many series at once,
-- because a call costs more than its work.
local function write_figures(pane, missing)
  local place = (pane.start - tonumber(pane.block_start)) / pane.step
  local missing_record = two_bytes(place) .. two_bytes(math.min(missing, 65535))
  redis.call('HSET', pane.block, 'missing', with_record(redis.call('HGET', pane.block, 'missing') or '', 0, missing_record))
  for first = 1, #pane.fields, 2 * FIGURES_AT_ONCE do
    local last = math.min(first + 2 * FIGURES_AT_ONCE, #pane.fields + 1) - 1
    local names, written = {}, {}
    for i = first, last, 2 do names[#names + 1] = pane.fields[i] end
    local held = redis.call('HMGET', pane.block, unpack(names))
    for i = 1, #names do
      written[2 * i - 1], written[2 * i] = names[i], with_figures(names[i], held[i], pane.fields[first + 2 * i - 1])
    end
    redis.call('HSET', pane.block, unpack(written))
  end
end

-- Adds the pane to the parts of a coarser step, and queues their roll-up.
local function hand_up(call, parts, step, pane)
  local start = pane.start - pane.start % step
  redis.call('RPUSH', parts, call.mark .. pane.news)
  redis.call('ZADD', call.rollups, whole(start + step), call.service .. ':' .. whole(step) .. ':' .. whole(start))
end

-- Lists the block, until it expires, in the index by which deleting a service finds its blocks.
local function note_block(call, pane, now)
  redis.call('PEXPIRE', pane.block, pane.keep_ms)
  redis.call('ZADD', call.blocks, whole(now + tonumber(pane.keep_ms)), whole(pane.step) .. ':' .. pane.block_start)
  redis.call('ZREMRANGEBYSCORE', call.blocks, '-inf', whole(now))
  redis.call('PEXPIRE', call.blocks, call.longest_keep_ms)
end

local function announce(call, pane, through, revision, missing, now)
  local fields = {
    'type', 'closed', 'service', call.service, 'step_ms', whole(pane.step), 'start_ms', pane.name, 'through_ms', whole(through),
    'revision', whole(revision), 'missing', whole(missing),
  }
  for _, item in ipairs(pane.fields) do fields[#fields + 1] = item end
  add(call.metrics, now, call.metrics_keep_ms, fields)
end

local function close_pane(call, pane, now)
  local through = closed_through(call, pane)
  local stored = tonumber(redis.call('HGET', pane.block, 'r' .. pane.name) or '') or -1
  local refused = refusal(call, pane, through, stored)
  if refused then return refused end
  if is_stored_already(pane, through, stored) then
    redis.call('HSET', call.closed, call.service, whole(pane.finish))
    return {'ok', stored, counted(redis.call('HGET', pane.block, 'm' .. pane.name))}
  end
  local is_first = pane.is_base and pane.start >= (through or 0)
  redis.call('ZREM', pane.queue, pane.member)
  redis.call('DEL', pane.parts)
  if pane.is_base and pane.token ~= '' then redis.call('ZADD', call.heard, 'GT', whole(pane.finish), call.service) end
  if pane.covering_step > 0 and pane.is_base and not is_first and stored < 0 then
    -- The pane has expired. Stored now, its late events alone would look like the whole pane.
    hand_up(call, pane.covering, pane.covering_step, pane)
    return {'over'}
  end
  -- A pane that closed as absent had revision 0 without being stored.
  local revision = stored + 1
  if pane.is_base and not is_first and stored < 0 then revision = 1 end
  local missing = count_missing(call.producers, pane.finish, call.no_data_ms)
  redis.call('HSET', pane.block, pane.name, pane.blob, 'r' .. pane.name, whole(revision), 'm' .. pane.name, missing)
  if not pane.is_base then write_figures(pane, missing) end
  note_block(call, pane, now)
  if pane.above_step > 0 then hand_up(call, pane.above, pane.above_step, pane) end
  if not pane.is_base then return {'ok', revision, missing} end
  if is_first then
    through = pane.finish
    redis.call('HSET', call.closed, call.service, whole(through))
  end
  announce(call, pane, through, revision, missing, now)
  return {'ok', revision, missing}
end

local function close(keys, args)
  local call, problem = parse(keys, args)
  if problem then return problem end
  if counted(redis.call('HGET', call.progress, 'deletions')) ~= tonumber(call.deletions) then return {{'changed'}} end
  local replies, now = {}, now_ms()
  for _, pane in ipairs(call.panes) do
    local reply = close_pane(call, pane, now)
    replies[#replies + 1] = reply
    if reply[1] == 'changed' or reply[1] == 'hole' then break end
  end
  return replies
end

redis.register_function({function_name = 'baro_close_1', callback = close, flags = {'allow-oom'}})
