-- Requests of people, each of which is applied once however often it is sent: under a key of its own, "request answer".

-- Returns the reply for a request that was applied before, or whose key stands for another request; nil for a new one.
local function done_before(once, request, once_ms)
  local done = tonumber(once_ms) > 0 and redis.call('GET', once)
  if not done then return nil end
  local asked, answer = string.match(done, '^(%S+) (%S+)$')
  return asked == request and {'done', answer} or {'other'}
end

local function note_done(once, request, answer, once_ms)
  if tonumber(once_ms) > 0 then redis.call('SET', once, request .. ' ' .. answer, 'PX', once_ms) end
end
