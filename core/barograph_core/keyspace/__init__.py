"""The names of all keys, and on which shard a service lives."""
