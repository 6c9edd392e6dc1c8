"""The loop of a worker: consumer groups, failed entries, reports, threads for each shard, start and end."""
