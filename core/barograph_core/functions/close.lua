-- baro_close_1: compare-and-set closing of panes, or of roll-ups, of one service: in order, up to the first that cannot be.
-- KEYS open rollups closed producers metrics progress heard blocks, then for each pane: parts block above covering
--      parts: what it is made from; above: the parts of its roll-up; covering: those of the finest step that is kept so long
-- ARGV service base_step_ms no_data_ms metrics_keep_ms longest_keep_ms deletions mark, then for each pane:
--      step_ms start_ms block_start_ms token revision keep_ms above_step_ms covering_step_ms blob news k field value ...
--      token: the mark of the last of the parts that `blob` was made from (pane_parts.py), "" for none: lists only grow and go as
--      a whole, so it tells all of them; revision: of the stored pane that `blob` includes, -1 for none
--      deletions: as it was before the parts were read; mark: of what this call hands up, new for each call
--      above_step_ms: 0 when there is no coarser step
--      covering_step_ms: 0 while the pane's own retention lasts
--      news: what the roll-up has not got yet, "" when that is `blob`; k counts fields and values: of a pane of the base step,
--      those of the closed entry; of a roll-up, the name and the record of each series, whose first two bytes are the
--      pane's place in its block (figure_records.py)
-- Replies for each pane, up to the first that is not closed:
--      {"ok", revision, missing} | {"over"}: its retention has ended, a coarser step took it in
--      | {"changed"}: somebody closed, committed or deleted meanwhile; read again
--      | {"hole", closed_through_ms}: instances are missing in the empty panes before this one; close those first, each tells.
-- Cost: O(panes * (log n + size of blob)), and of a roll-up O(what is kept of its series in the block).
-- allow-oom: closing frees the parts.
local HEAD_KEYS, PANE_KEYS, HEAD_ARGS, PANE_ARGS = 8, 4, 7, 11
local MARK_BYTES = 8
-- A pane holds up to 100,000 series.
local MOST_FIELDS = 200000
local FIGURES_AT_ONCE = 500

local function parse_pane(keys, args, at, key)
  local wrong_argument = not_whole(args, {at, at + 1, at + 2, at + 5, at + 6, at + 7, at + 10})
  if wrong_argument then return nil, wrong_argument end
  local k = tonumber(args[at + 10])
  if k % 2 ~= 0 or k > MOST_FIELDS or at + 10 + k > #args or not tonumber(args[at + 4]) or not keys[key + 3] then
    return nil, fail('a pane lacks keys, arguments or fields')
  end
  if #args[at + 3] ~= 0 and #args[at + 3] ~= MARK_BYTES then return nil, fail('a token is a mark or nothing') end
  local step, start = tonumber(args[at]), tonumber(args[at + 1])
  local pane = {
    parts = keys[key], block = keys[key + 1], above = keys[key + 2], covering = keys[key + 3],
    step = step, start = start, finish = start + step, is_base = step == tonumber(args[2]), name = args[at + 1],
    block_start = args[at + 2], token = args[at + 3], revision = tonumber(args[at + 4]), keep_ms = args[at + 5],
    above_step = tonumber(args[at + 6]), covering_step = tonumber(args[at + 7]), blob = args[at + 8],
    news = args[at + 9] == '' and args[at + 8] or args[at + 9], fields = slice(args, at + 11, at + 10 + k),
    member = args[1] .. ':' .. args[at] .. ':' .. args[at + 1],
  }
  pane.queue = pane.is_base and keys[1] or keys[2]
  for i = 1, pane.is_base and 0 or k, 2 do
    if string.sub(pane.fields[i], 1, 1) ~= '[' or #pane.fields[i + 1] < 2 then return nil, fail('a roll-up lacks its figures') end
  end
  local wrong = wrong_type({
    {pane.parts, 'list'}, {pane.block, 'hash'}, {pane.above, 'list'}, {pane.covering, 'list'},
  })
  if wrong then return nil, fail(wrong) end
  return pane, nil, at + PANE_ARGS + k
end

local function parse(keys, args)
  local wrong_argument = not_whole(args, {2, 3, 4, 5, 6})
  if wrong_argument then return nil, wrong_argument end
  if #(args[7] or '') ~= MARK_BYTES then return nil, fail('argument 7 must be a mark') end
  local wrong = wrong_type({
    {keys[1], 'zset'}, {keys[2], 'zset'}, {keys[3], 'hash'}, {keys[4], 'zset'}, {keys[5], 'stream'}, {keys[6], 'hash'},
    {keys[7], 'zset'}, {keys[8], 'zset'},
  })
  if wrong then return nil, fail(wrong) end
  local panes, at, key = {}, HEAD_ARGS + 1, HEAD_KEYS + 1
  while at <= #args do
    local pane, problem, after = parse_pane(keys, args, at, key)
    if problem then return nil, problem end
    panes[#panes + 1], at, key = pane, after, key + PANE_KEYS
  end
  if key ~= #keys + 1 then return nil, fail('each pane needs four keys') end
  return panes
end

local function last_mark(parts)
  return string.sub(redis.call('LINDEX', parts, -1) or '', 1, MARK_BYTES)
end

-- Returns why the pane cannot be closed as it was read, or nil.
local function refusal(keys, args, pane, through, stored)
  if last_mark(pane.parts) ~= pane.token or stored ~= pane.revision then return {'changed'} end
  local is_first = pane.is_base and pane.start >= (through or 0)
  if pane.token == '' and not (is_first and through) then
    -- Nothing to close: not an empty pane that comes next. What a service left that was deleted must not come back.
    redis.call('ZREM', pane.queue, pane.member)
    return {'changed'}
  end
  if pane.token ~= '' and not redis.call('ZSCORE', pane.queue, pane.member) then return {'changed'} end
  -- A retired service is closed through everything: its roll-ups are finished as the watermark passes them.
  if not pane.is_base and through and through < pane.finish then return {'changed'} end
  if is_first and through and pane.start > through and count_missing(keys[4], pane.start, args[3]) > 0 then
    return {'hole', whole(through)}
  end
  return nil
end

-- Adds `record` to those of one series: in the order of the panes, each of which has one at most.
local function with_record(held, record)
  if not held then return record end
  local size, at = #record, #held
  local low, high = string.byte(record, 1, 2)
  local place = low + 256 * high
  while at >= size do
    low, high = string.byte(held, at - size + 1, at - size + 2)
    if low + 256 * high < place then break end
    at = at - size
  end
  if at == #held then return held .. record end
  low, high = string.byte(held, at + 1, at + 2)
  local after = low + 256 * high == place and at + size or at
  return string.sub(held, 1, at) .. record .. string.sub(held, after + 1)
end

local function two_bytes(number)
  return string.char(number % 256, math.floor(number / 256))
end

-- How many instances are missing lies like one more series beside the others. One call for many series: a call costs more
-- than what it does.
local function write_figures(pane, missing)
  local place = (pane.start - tonumber(pane.block_start)) / pane.step
  pane.fields[#pane.fields + 1] = 'missing'
  pane.fields[#pane.fields + 1] = two_bytes(place) .. two_bytes(math.min(missing, 65535))
  for first = 1, #pane.fields, 2 * FIGURES_AT_ONCE do
    local last = math.min(first + 2 * FIGURES_AT_ONCE, #pane.fields + 1) - 1
    local names, written = {}, {}
    for i = first, last, 2 do names[#names + 1] = pane.fields[i] end
    local held = redis.call('HMGET', pane.block, unpack(names))
    for i = 1, #names do
      written[2 * i - 1], written[2 * i] = names[i], with_record(held[i], pane.fields[first + 2 * i - 1])
    end
    redis.call('HSET', pane.block, unpack(written))
  end
end

local function hand_up(keys, args, parts, step, pane)
  local start = pane.start - pane.start % step
  redis.call('RPUSH', parts, args[7] .. pane.news)
  redis.call('ZADD', keys[2], whole(start + step), args[1] .. ':' .. whole(step) .. ':' .. whole(start))
end

-- The index by which a service's blocks are found when it is deleted, each until it has expired.
local function note_block(keys, args, pane, now)
  redis.call('PEXPIRE', pane.block, pane.keep_ms)
  redis.call('ZADD', keys[8], whole(now + tonumber(pane.keep_ms)), whole(pane.step) .. ':' .. pane.block_start)
  redis.call('ZREMRANGEBYSCORE', keys[8], '-inf', whole(now))
  redis.call('PEXPIRE', keys[8], args[5])
end

local function announce(keys, args, pane, through, revision, missing, now)
  local fields = {
    'type', 'closed', 'service', args[1], 'step_ms', whole(pane.step), 'start_ms', pane.name, 'through_ms', whole(through),
    'revision', whole(revision), 'missing', whole(missing),
  }
  for _, item in ipairs(pane.fields) do fields[#fields + 1] = item end
  add(keys[5], now, args[4], fields)
end

local function close_pane(keys, args, pane, now)
  local through = tonumber(redis.call('HGET', keys[3], args[1]) or nil)
  local stored = tonumber(redis.call('HGET', pane.block, 'r' .. pane.name) or '-1')
  local refused = refusal(keys, args, pane, through, stored)
  if refused then return refused end
  local is_first = pane.is_base and pane.start >= (through or 0)
  redis.call('ZREM', pane.queue, pane.member)
  redis.call('DEL', pane.parts)
  if pane.is_base and pane.token ~= '' then redis.call('ZADD', keys[7], 'GT', whole(pane.finish), args[1]) end
  if pane.covering_step > 0 and pane.is_base and not is_first and stored < 0 then
    -- Stored now, the late events alone would look like the whole of a pane that has expired.
    hand_up(keys, args, pane.covering, pane.covering_step, pane)
    return {'over'}
  end
  -- A pane that closed as absent was revision 0 without being stored.
  local revision = stored + 1
  if pane.is_base and not is_first and stored < 0 then revision = 1 end
  local missing = count_missing(keys[4], pane.finish, args[3])
  redis.call('HSET', pane.block, pane.name, pane.blob, 'r' .. pane.name, whole(revision), 'm' .. pane.name, missing)
  if not pane.is_base then write_figures(pane, missing) end
  note_block(keys, args, pane, now)
  if pane.above_step > 0 then hand_up(keys, args, pane.above, pane.above_step, pane) end
  if not pane.is_base then return {'ok', revision, missing} end
  if is_first then
    through = pane.finish
    redis.call('HSET', keys[3], args[1], whole(through))
  end
  announce(keys, args, pane, through, revision, missing, now)
  return {'ok', revision, missing}
end

local function close(keys, args)
  local panes, problem = parse(keys, args)
  if problem then return problem end
  if (redis.call('HGET', keys[6], 'deletions') or '0') ~= args[6] then return {{'changed'}} end
  local replies, now = {}, now_ms()
  for _, pane in ipairs(panes) do
    local reply = close_pane(keys, args, pane, now)
    replies[#replies + 1] = reply
    if reply[1] == 'changed' or reply[1] == 'hole' then break end
  end
  return replies
end

redis.register_function({function_name = 'baro_close_1', callback = close, flags = {'allow-oom'}})
