-- baro_tell_1: add a part to a pane of the pipeline's own figures, and note up to which totals they have been told.
-- KEYS parts open progress      ARGV end_ms member part told_before told
--      part: a mark of its own and the packed pane (pane_parts.py); member: of the pane in `open`
--      told: any text; told_before: as it was when the part was made, "" for none
-- Replies 1 | 0: somebody else has told meanwhile, nothing was written. Cost: O(1).
-- No allow-oom: what fills a full server further must not come from here.
local function tell(keys, args)
  local wrong = wrong_type({{keys[1], 'list'}, {keys[2], 'zset'}, {keys[3], 'hash'}})
  if wrong then return fail(wrong) end
  local wrong_argument = not_whole(args, {1})
  if wrong_argument then return wrong_argument end
  if #args ~= 5 then return fail('a part needs end, member and what was told') end
  if (redis.call('HGET', keys[3], 'told') or '') ~= args[4] then return 0 end
  redis.call('RPUSH', keys[1], args[3])
  redis.call('ZADD', keys[2], args[1], args[2])
  redis.call('HSET', keys[3], 'told', args[5])
  return 1
end

redis.register_function('baro_tell_1', tell)
