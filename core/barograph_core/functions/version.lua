-- baro_version_1: the protocol version of this library. The loader replaces an older library, never a newer one.
-- KEYS     none
-- ARGV     none
-- Replies  an integer
-- Cost     O(1)
redis.register_function({
  function_name = 'baro_version_1',
  callback = function() return LIBRARY_VERSION end,
  flags = {'no-writes'},
})

-- baro_build_1: the build of this library, which differs between libraries of one version.
-- KEYS     none
-- ARGV     none
-- Replies  a text
-- Cost     O(1)
redis.register_function({
  function_name = 'baro_build_1',
  callback = function() return LIBRARY_BUILD end,
  flags = {'no-writes'},
})
