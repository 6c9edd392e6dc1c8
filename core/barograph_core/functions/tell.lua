-- baro_tell_1: add a part to a pane of the pipeline's own metrics, and store the totals up to which they are reported.
-- KEYS     parts open progress
-- ARGV     end_ms member part told_before told
--          part: a mark of its own and the packed pane (store/parts.py); member: of the pane in `open`
--          told: the totals as any text; told_before: that text when the part was made, "" for none
-- Replies  1 | 0: another worker has reported meanwhile, nothing was written
-- Cost     O(1)
-- Not allow-oom: the pipeline's own metrics must not fill a full server further.
local function tell(keys, args)
  local parts, open, progress = keys[1], keys[2], keys[3]
  local end_ms, member, part, told_before, told = args[1], args[2], args[3], args[4], args[5]
  local problem = wrong_type({{parts, 'list'}, {open, 'zset'}, {progress, 'hash'}}) or not_whole('end_ms', end_ms)
  if problem then return problem end
  if #args ~= 5 then return fail('a part needs end_ms, member, part, told_before and told') end
  if (redis.call('HGET', progress, 'told') or '') ~= told_before then return 0 end
  redis.call('RPUSH', parts, part)
  redis.call('ZADD', open, end_ms, member)
  redis.call('HSET', progress, 'told', told)
  return 1
end

redis.register_function('baro_tell_1', tell)
