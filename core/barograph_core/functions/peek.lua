-- baro_peek_1: show the last entries of any barograph stream, decoded, to people who have only redis-cli.
-- KEYS     stream
-- ARGV     count
-- Replies  one array for each entry: its plain fields, then a line for each event
-- Cost     O(entries)
-- MEASURES holds the names of each kind's columns; library.py writes it from the table of kinds.
local WIDTHS = {B = 1, H = 2, I = 4, Q = 8, d = 8}
local FORMATS = {B = '<B', H = '<H', I = '<I4', Q = '<I8', d = '<d'}
local DEFAULT_COUNT, MOST_SHOWN = 5, 1000
local MAX_LINES = 20

local function cell(column, index)
  local code = column[1]
  return (struct.unpack(FORMATS[code], column[2], (index - 1) * WIDTHS[code] + 1))
end

-- Returns how many events a record stands for: a sampled record carries that number in its last column.
local function weight(batch, index)
  if type(batch[6]) ~= 'table' then return 1 end
  return cell(batch[6], index)
end

local function event_line(kind, batch, index)
  local labels = batch[2][cell(batch[3], index) + 1]
  local line = {whole(batch[1] + cell(batch[4], index)), table.concat(labels, ' ')}
  for i, name in ipairs(MEASURES[kind]) do
    local column = batch[5][i]
    if type(column) == 'table' then
      local value = cell(column, index)
      if value == value then line[#line + 1] = name .. '=' .. string.format('%.6g', value) end
    end
  end
  if weight(batch, index) ~= 1 then line[#line + 1] = 'weight=' .. whole(weight(batch, index)) end
  return table.concat(line, ' ')
end

local function describe(id, flat)
  local fields, head = {}, {id}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
    if flat[i] == 'data' then
      head[#head + 1] = 'data=<' .. #flat[i + 1] .. ' bytes>'
    else
      head[#head + 1] = flat[i] .. '=' .. flat[i + 1]
    end
  end
  local lines = {table.concat(head, ' ')}
  if fields['v'] == '1' and MEASURES[fields['kind']] and fields['data'] then
    local ok, problem = pcall(function()
      local batch = cmsgpack.unpack(fields['data'])
      local n = tonumber(fields['n'])
      for i = 1, math.min(n, MAX_LINES) do lines[#lines + 1] = event_line(fields['kind'], batch, i) end
      if n > MAX_LINES then lines[#lines + 1] = '... and ' .. (n - MAX_LINES) .. ' more' end
    end)
    if not ok then lines[#lines + 1] = 'cannot be decoded: ' .. tostring(problem) end
  end
  return lines
end

local function peek(keys, args)
  local stream = keys[1]
  local count = math.min(tonumber(args[1]) or DEFAULT_COUNT, MOST_SHOWN)
  local found, shown = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', count), {}
  for i = #found, 1, -1 do shown[#shown + 1] = describe(found[i][1], found[i][2]) end
  return shown
end

redis.register_function({function_name = 'baro_peek_1', callback = peek, flags = {'no-writes'}})
