-- baro_version_1: the version of this library; the loader replaces an older one, never a newer one. Replies an integer.
redis.register_function({
  function_name = 'baro_version_1',
  callback = function() return LIBRARY_VERSION end,
  flags = {'no-writes'},
})

-- baro_build_1: which of the libraries of this version it is. Replies a text.
redis.register_function({
  function_name = 'baro_build_1',
  callback = function() return LIBRARY_BUILD end,
  flags = {'no-writes'},
})
